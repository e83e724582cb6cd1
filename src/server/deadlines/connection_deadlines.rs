//! The state of one connection, and its deadline.

use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// How long a client may take for each step.
#[derive(Clone, Copy, Debug)]
pub struct DeadlineSettings {
    /// How long a client may take to send a request head. The time runs from the start of the connection for the first
    /// head, and from the first byte for later ones.
    pub head: Duration,
    /// How long a client may take to begin the next request.
    pub idle: Duration,
    /// How long a client may take to read a response.
    pub response: Duration,
}

/// The deadlines of one connection. Clones share their state.
#[derive(Clone, Debug)]
pub(in crate::server) struct ConnectionDeadlines {
    settings: DeadlineSettings,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// Requests in progress. On HTTP/2 there may be several.
    active_requests: usize,
    /// When the connection became idle. While `awaits_head_end` is set, when the head began.
    waiting_since: Instant,
    /// Whether a head has begun but not ended. True for a new connection.
    awaits_head_end: bool,
    /// Whether the bytes read so far end inside a head. The head may belong to a request after those in progress.
    is_inside_head: bool,
    /// The start of each response that the client has not read completely, by id. The ids grow, so the first is the
    /// oldest.
    responses: BTreeMap<u64, Instant>,
    last_response_id: u64,
    /// The time since which the client has accepted no bytes.
    write_blocked_since: Option<Instant>,
}

impl ConnectionDeadlines {
    /// Starts the deadlines of a connection that was just accepted.
    pub(in crate::server) fn start(settings: DeadlineSettings) -> Self {
        let state = State {
            active_requests: 0,
            waiting_since: Instant::now(),
            awaits_head_end: true,
            is_inside_head: false,
            responses: BTreeMap::new(),
            last_response_id: 0,
            write_blocked_since: None,
        };
        Self { settings, state: Arc::new(Mutex::new(state)) }
    }

    /// Runs a connection until it closes. If a deadline passes first, drops the connection and returns `None`.
    pub(in crate::server) async fn enforce<F: Future>(&self, connection: F) -> Option<F::Output> {
        let mut connection = pin!(connection);
        let mut timer = pin!(sleep_until(Instant::now()));
        poll_fn(|cx| {
            if let Poll::Ready(output) = connection.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            // Polling the connection may have moved the deadline.
            self.poll_deadline(timer.as_mut(), cx).map(|()| None)
        })
        .await
    }

    /// Returns ready when the deadline has passed.
    fn poll_deadline(&self, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(deadline) = self.deadline() else { return Poll::Pending };
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            ready!(timer.as_mut().poll(cx));

            // On HTTP/2, requests run in separate tasks, which may have moved the deadline in the meantime.
            if self.deadline() == Some(deadline) {
                return Poll::Ready(());
            }
        }
    }

    /// Returns the time at which the connection is closed unless it makes progress, or `None` while only handlers are
    /// running.
    fn deadline(&self) -> Option<Instant> {
        let state = self.state();
        [state.request_deadline(self.settings), state.response_deadline(self.settings)].into_iter().flatten().min()
    }

    /// Records that bytes were read, and whether they end inside a request head.
    pub(in crate::server) fn note_read(&self, is_inside_head: bool) {
        let mut state = self.state();
        state.is_inside_head = is_inside_head;
        if is_inside_head && !state.awaits_head_end && state.active_requests == 0 {
            state.awaits_head_end = true;
            state.waiting_since = Instant::now();
        }
    }

    /// Records that the client accepts no more bytes for now.
    pub(in crate::server) fn note_write_blocked(&self) {
        self.state().write_blocked_since.get_or_insert_with(Instant::now);
    }

    /// Records a flush, and whether the client has accepted all bytes.
    pub(in crate::server) fn note_flush(&self, is_complete: bool) {
        if is_complete {
            self.state().write_blocked_since = None;
        } else {
            self.note_write_blocked();
        }
    }

    /// Records that a request head was read.
    pub(super) fn begin_request(&self) {
        let mut state = self.state();
        state.active_requests = state.active_requests.saturating_add(1);
        state.awaits_head_end = false;
    }

    /// Records that a response begins. Returns its id.
    pub(super) fn begin_response(&self) -> u64 {
        let mut state = self.state();
        state.last_response_id = state.last_response_id.wrapping_add(1);
        let id = state.last_response_id;
        state.responses.insert(id, Instant::now());
        id
    }

    /// Records the end of a request: the client has read its response, or has given up.
    pub(super) fn end_request(&self, response: Option<u64>) {
        let mut state = self.state();
        if let Some(id) = response {
            state.responses.remove(&id);
        }
        state.active_requests = state.active_requests.saturating_sub(1);
        if state.active_requests == 0 {
            state.waiting_since = Instant::now();
            state.awaits_head_end = state.is_inside_head;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Returns the time by which the next request must begin or, if its head has begun, the head must end.
    fn request_deadline(&self, settings: DeadlineSettings) -> Option<Instant> {
        if self.active_requests > 0 {
            return None;
        }
        let limit = if self.awaits_head_end { settings.head } else { settings.idle };
        self.waiting_since.checked_add(limit)
    }

    /// Returns the time by which the client must have read the oldest response, or must accept bytes again.
    fn response_deadline(&self, settings: DeadlineSettings) -> Option<Instant> {
        let oldest_response = self.responses.first_key_value().map(|(_, began)| *began);
        let since = [oldest_response, self.write_blocked_since].into_iter().flatten().min()?;
        since.checked_add(settings.response)
    }
}
