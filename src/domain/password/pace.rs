//! How long hashes take, and how an answer that took less is held back.
//!
//! A stored hash with other parameters than new ones have would give its account away by the time of the answer:
//! unknown names, wrong passwords and disabled accounts all cost one new hash. Its answer therefore comes when as much
//! time has passed as one of the last new hashes took. A hash that costs more than a new one simply takes longer.
//!
//! After a change of load the answers held back follow it as the durations of the ring are replaced.

use std::{
    collections::VecDeque,
    hint,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::domain::fault::Fault;

/// How many durations are kept: enough to look like any new hash, few enough to follow the load.
const KEPT: usize = 64;

/// The part of a wait that a thread of its own sees to, because tokio's timers are late by up to two milliseconds.
const FINE: Duration = Duration::from_millis(3);

/// The part of that in which the thread looks at the clock all the time, because the system wakes it late as well.
const EXACT: Duration = Duration::from_micros(200);

/// The durations of the last hashes at the current cost; there is always one.
pub(super) struct Pace {
    recent: Mutex<VecDeque<Duration>>,
}

impl Pace {
    /// Begins with the duration of a first hash.
    pub(super) fn new(first: Duration) -> Self {
        Self { recent: Mutex::new(VecDeque::from([first])) }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Duration>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the duration of one more hash in the place of the oldest.
    pub(super) fn record(&self, took: Duration) {
        let mut recent = self.lock();
        if recent.len() >= KEPT {
            recent.pop_front();
        }
        recent.push_back(took);
    }

    /// Waits until a hash that began at `begun` could have been one at the current cost. Only the last moments occupy a
    /// thread, and none of those that hash.
    ///
    /// # Errors
    /// [`Fault::Internal`] without randomness.
    pub(super) async fn hold(&self, begun: Instant) -> Result<(), Fault> {
        let end = begun + self.any()?;
        tokio::time::sleep_until(end.checked_sub(FINE).unwrap_or(begun).into()).await;
        let exact = tokio::task::spawn_blocking(move || {
            thread::sleep(end.saturating_duration_since(Instant::now()).saturating_sub(EXACT));
            while Instant::now() < end {
                hint::spin_loop();
            }
        });
        exact.await.map_err(|error| Fault::internal("holding an answer back", error))
    }

    /// One of the durations at random: taken in turn, they would be the ones of the requests just before.
    fn any(&self) -> Result<Duration, Fault> {
        let mut byte = [0];
        aws_lc_rs::rand::fill(&mut byte).map_err(|error| Fault::internal("holding an answer back", error))?;
        let recent = self.lock();
        Ok(recent.get(usize::from(byte[0]) % recent.len()).copied().unwrap_or_default())
    }
}
