//! Events that others can cause as often as they like, and that the log tells at most once a minute.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const PAUSE: Duration = Duration::from_mins(1);

/// Counts events between two lines of the log.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    state: Mutex<(u64, Option<Instant>)>,
}

impl Seldom {
    /// Counts one. When the log may be written: how many there were since it last was.
    pub(super) fn count(&self) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (events, told) = &mut *state;
        *events = events.saturating_add(1);
        if told.is_some_and(|told| told.elapsed() < PAUSE) {
            return None;
        }
        *told = Some(Instant::now());
        Some(std::mem::take(events))
    }
}
