//! Deadlines of a connection. hyper times the head of HTTP/1 alone, and hyper-util nothing while it finds out which
//! protocol is spoken (hyper #3962); here the bytes themselves are watched, whatever is made of them.

use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use http_body_util::combinators::BoxBody;
use hyper::body::{Body, Buf, Bytes, Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::framing::{Framing, Scanner};

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// To send the head of a request, from its first byte; of the first request, from the connection on.
    pub head: Duration,
    /// To begin the next request.
    pub idle: Duration,
    /// To take an answer, all of it.
    pub answer: Duration,
}

/// What one connection is doing: shared by its bytes, its requests and its end.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    deadlines: Deadlines,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    scanner: Scanner,
    /// How many requests are being served; on HTTP/2 it may be several.
    requests: usize,
    /// When each answer that is not yet taken began, by a number that grows with every answer.
    answers: BTreeMap<u64, Instant>,
    answered: u64,
    /// Since when there are bytes that the client does not take.
    blocked: Option<Instant>,
    /// Since when there is no request, or, when `in_head`, since when one has been coming.
    waiting: Instant,
    in_head: bool,
}

impl Watch {
    /// Of a connection that was accepted at this moment.
    pub(super) fn new(deadlines: Deadlines) -> Self {
        let state = State {
            scanner: Scanner::default(),
            requests: 0,
            answers: BTreeMap::new(),
            answered: 0,
            blocked: None,
            waiting: Instant::now(),
            in_head: true,
        };
        Self { deadlines, state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The moment at which the connection ends unless something happens. While a handler works there is none: the
    /// edge bounds that.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let state = self.state();
        let patience = if state.in_head { self.deadlines.head } else { self.deadlines.idle };
        let waiting = if state.requests == 0 { state.waiting.checked_add(patience) } else { None };
        let oldest = state.answers.first_key_value().map(|(_, since)| *since);
        let taken = [oldest, state.blocked]
            .into_iter()
            .flatten()
            .min()
            .and_then(|since| since.checked_add(self.deadlines.answer));
        [waiting, taken].into_iter().flatten().min()
    }

    /// Notes that a request has come, and how its bytes are framed.
    pub(super) fn request(&self) -> (Request, Framing) {
        let mut state = self.state();
        state.requests = state.requests.saturating_add(1);
        state.in_head = false;
        let framing = state.scanner.next();
        drop(state);
        (Request { watch: self.clone(), answer: None }, framing)
    }

    /// Runs a connection to its end or its deadline; `None` when that came first.
    pub(super) async fn guard<F: Future>(&self, connection: F) -> Option<F::Output> {
        let mut connection = pin!(connection);
        let mut alarm = pin!(sleep_until(Instant::now()));
        poll_fn(|cx| {
            if let Poll::Ready(output) = connection.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            self.poll_deadline(alarm.as_mut(), cx).map(|()| None)
        })
        .await
    }

    /// Ready when the deadline has passed. It is looked up again whenever the connection did something.
    fn poll_deadline(&self, mut alarm: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(deadline) = self.deadline() else { return Poll::Pending };
            if alarm.deadline() != deadline {
                alarm.as_mut().reset(deadline);
            }
            ready!(alarm.as_mut().poll(cx));
            if self.deadline() == Some(deadline) {
                return Poll::Ready(());
            }
        }
    }
}

impl State {
    fn read(&mut self, bytes: &[u8]) {
        self.scanner.read(bytes);
        if self.requests == 0 && !self.in_head && self.scanner.is_inside_head() {
            self.in_head = true;
            self.waiting = Instant::now();
        }
    }

    fn wrote(&mut self, everything: bool) {
        if everything {
            self.blocked = None;
        } else {
            self.blocked.get_or_insert_with(Instant::now);
        }
    }

    fn end_request(&mut self, answer: Option<u64>) {
        if let Some(answer) = answer {
            self.answers.remove(&answer);
        }
        self.requests = self.requests.saturating_sub(1);
        if self.requests == 0 {
            self.waiting = Instant::now();
            self.in_head = self.scanner.is_inside_head();
        }
    }
}

/// A request that is being served; dropped when its answer has been taken or nobody wants it any more.
#[derive(Debug)]
pub(super) struct Request {
    watch: Watch,
    answer: Option<u64>,
}

impl Request {
    /// The body of the answer, whose taking is timed from now on.
    pub(super) fn answer(mut self, body: BoxBody<Bytes, io::Error>) -> Answer {
        let mut state = self.watch.state();
        state.answered = state.answered.wrapping_add(1);
        let number = state.answered;
        state.answers.insert(number, Instant::now());
        drop(state);
        self.answer = Some(number);
        Answer { body, request: Arc::new(self) }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.watch.state().end_request(self.answer);
    }
}

/// The body of an answer.
#[derive(Debug)]
pub(super) struct Answer {
    body: BoxBody<Bytes, io::Error>,
    request: Arc<Request>,
}

impl Body for Answer {
    type Data = Piece;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Piece>>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let piece = |bytes| Piece { bytes, _request: Arc::clone(&self.request) };
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A piece of it. h2 asks for the next one long before the client lets it send this one, and keeps what it has; so the
/// request lasts as long as its pieces.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: Bytes,
    _request: Arc<Request>,
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

/// The bytes of a connection.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    watch: Watch,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, watch: Watch) -> Self {
        Self { stream, watch }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.watch.state().read(buffer.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if written.is_pending() {
            self.watch.state().wrote(false);
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        if written.is_pending() {
            self.watch.state().wrote(false);
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper and h2 flush when they have nothing left to write.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch.state().wrote(flushed.is_ready());
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch.state().wrote(shut.is_ready());
        shut
    }
}
