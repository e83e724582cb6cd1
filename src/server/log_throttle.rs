//! A rate limit on log lines about events that clients can cause at any rate.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The minimum time between two log lines.
const INTERVAL: Duration = Duration::from_mins(1);

/// Counts events, and allows one log line per minute.
#[derive(Debug, Default)]
pub(super) struct LogThrottle {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    unlogged: u64,
    last_logged: Option<Instant>,
}

impl LogThrottle {
    /// Counts an event. If a log line is due, returns the number of events since the last log line, including this
    /// event.
    pub(super) fn count(&self) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.unlogged = state.unlogged.saturating_add(1);

        if state.last_logged.is_some_and(|last| last.elapsed() < INTERVAL) {
            return None;
        }
        state.last_logged = Some(Instant::now());
        Some(std::mem::take(&mut state.unlogged))
    }
}
