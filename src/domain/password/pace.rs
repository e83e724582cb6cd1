//! How long hashes take, and how an answer that took less is held back.
//!
//! A stored hash with other parameters than new ones have would give its account away by the time of the answer:
//! unknown names, wrong passwords and disabled accounts all cost one new hash. Its answer therefore comes after the time
//! that the rest of a new hash would have taken, as one of the last new hashes shows it. A hash that costs more than a
//! new one simply takes longer.
//!
//! Only the rest is taken from another hash, and by the work done, not by the clock: on a busy machine the time of one
//! hash differs much from that of the next, and the longer of two independent times would be longer than either. A little
//! remains there: what slows a machine down lasts longer than a hash, so the sum of two parts varies less than a whole.

use std::{
    collections::VecDeque,
    hint,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::domain::fault::Fault;

/// How many hashes are kept: enough to look like any new hash, few enough to follow the load.
const KEPT: usize = 64;

/// The part of a wait that a thread of its own sees to, because tokio's timers are late by up to two milliseconds.
const FINE: Duration = Duration::from_millis(3);

/// The part of that in which the thread looks at the clock all the time, because the system wakes it late as well.
const EXACT: Duration = Duration::from_micros(200);

/// The time of one hash.
#[derive(Clone, Copy)]
pub(super) struct Span {
    ended: Instant,
    took: Duration,
    /// The part in which the processor worked on it; all where the system does not tell.
    worked: Duration,
}

impl Span {
    /// Does the work, and measures it.
    pub(super) fn of<T>(work: impl FnOnce() -> T) -> (T, Self) {
        let (begun, before) = (Instant::now(), worked());
        let result = work();
        let (ended, after) = (Instant::now(), worked());
        let took = ended.saturating_duration_since(begun);
        let worked = before.zip(after).map_or(took, |(before, after)| after.saturating_sub(before));
        (result, Self { ended, took, worked })
    }

    /// How long it took.
    pub(super) const fn took(&self) -> Duration {
        self.took
    }

    /// What `other` still took when as much work was done as in this one.
    fn rest_of(self, other: Self) -> Duration {
        let whole = other.worked.max(Duration::from_nanos(1));
        other.took.mul_f64(whole.saturating_sub(self.worked).div_duration_f64(whole))
    }
}

/// How long the processor has worked for the calling thread, where the system tells.
fn worked() -> Option<Duration> {
    #[cfg(target_os = "linux")]
    let worked = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).try_into().ok();
    #[cfg(not(target_os = "linux"))]
    let worked = None;
    worked
}

/// The last hashes at the current cost; there is always one.
pub(super) struct Pace {
    recent: Mutex<VecDeque<Span>>,
}

impl Pace {
    /// Begins with a first hash.
    pub(super) fn new(first: Span) -> Self {
        Self { recent: Mutex::new(VecDeque::from([first])) }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Span>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps one more hash in the place of the oldest.
    pub(super) fn record(&self, hash: Span) {
        let mut recent = self.lock();
        if recent.len() >= KEPT {
            recent.pop_front();
        }
        recent.push_back(hash);
    }

    /// Waits until `hash` could have been one at the current cost. Only the last moments occupy a thread, and none of
    /// those that hash.
    ///
    /// # Errors
    /// [`Fault::Internal`] without randomness.
    pub(super) async fn hold(&self, hash: Span) -> Result<(), Fault> {
        let end = hash.ended.checked_add(hash.rest_of(self.any()?)).unwrap_or(hash.ended);
        tokio::time::sleep_until(end.checked_sub(FINE).unwrap_or(hash.ended).into()).await;
        let exact = tokio::task::spawn_blocking(move || {
            thread::sleep(end.saturating_duration_since(Instant::now()).saturating_sub(EXACT));
            while Instant::now() < end {
                hint::spin_loop();
            }
        });
        exact.await.map_err(|error| Fault::internal("holding an answer back", error))
    }

    /// One of them at random: taken in turn, they would be the ones of the requests just before.
    fn any(&self) -> Result<Span, Fault> {
        let mut byte = [0];
        aws_lc_rs::rand::fill(&mut byte).map_err(|error| Fault::internal("holding an answer back", error))?;
        let recent = self.lock();
        let any = usize::from(byte[0]).checked_rem(recent.len()).and_then(|place| recent.get(place)).copied();
        any.ok_or_else(|| Fault::internal("holding an answer back", "no hash was measured"))
    }
}
