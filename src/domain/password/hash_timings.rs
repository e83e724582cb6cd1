//! Timing equalization of outdated hashes.
//!
//! Unknown usernames, wrong passwords and disabled users all cost one hash. The duration of a stored hash that is
//! cheaper than a new hash would reveal that its user exists. The hasher therefore delays the result of such a hash by
//! the time that the rest of a new hash would take, estimated from a recent hash. A hash that costs more than a new
//! hash is not equalized and takes longer.
//!
//! Only the missing part is estimated, and from CPU time. On a busy machine, the wall-clock times of two hashes differ
//! widely. Waiting for the longer of two times would take longer on average than one hash, which would reveal the user.
//! A small difference remains: a slow machine stays slow for longer than one hash, so an equalized time, which is the
//! sum of two parts, varies less than the time of one hash.

use std::{
    collections::VecDeque,
    hint,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::{domain::crypto::random_bytes, error::ServiceError};

/// The number of timings that are kept: enough to vary as new hashes do, and few enough to follow the load.
const KEPT: usize = 64;
/// How long before its end a delay moves to a thread, because tokio's timers are up to two milliseconds late.
const THREAD_DELAY: Duration = Duration::from_millis(3);
/// How long before the end of the delay the thread begins to spin, because the system also wakes it up late.
const SPIN_DELAY: Duration = Duration::from_micros(200);
const CONTEXT: &str = "equalizing the time of a hash";

/// The measured time of one hash.
#[derive(Clone, Copy)]
pub(super) struct Timing {
    ended: Instant,
    elapsed: Duration,
    /// The CPU time of the hash, or the elapsed time if the system does not report it.
    cpu_time: Duration,
}

impl Timing {
    /// Runs a hash and measures it.
    pub(super) fn measure<T>(work: impl FnOnce() -> T) -> (T, Self) {
        let (started, cpu_before) = (Instant::now(), thread_cpu_time());
        let result = work();
        let (ended, cpu_after) = (Instant::now(), thread_cpu_time());

        let elapsed = ended.saturating_duration_since(started);
        let cpu_time = cpu_before.zip(cpu_after).map_or(elapsed, |(before, after)| after.saturating_sub(before));
        (result, Self { ended, elapsed, cpu_time })
    }

    /// Returns the elapsed time.
    pub(super) const fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Returns the time that `other` still took after it had used as much CPU time as this hash.
    fn rest_of(self, other: Self) -> Duration {
        let whole = other.cpu_time.max(Duration::from_nanos(1));
        other.elapsed.mul_f64(whole.saturating_sub(self.cpu_time).div_duration_f64(whole))
    }
}

/// Returns the CPU time of the calling thread, if the system reports it.
fn thread_cpu_time() -> Option<Duration> {
    #[cfg(target_os = "linux")]
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).try_into().ok();
    #[cfg(not(target_os = "linux"))]
    let time = None;
    time
}

/// The timings of the latest hashes at the current cost. There is always at least one.
pub(super) struct HashTimings {
    latest: Mutex<VecDeque<Timing>>,
}

impl HashTimings {
    /// Creates the timings with a first timing.
    pub(super) fn new(first: Timing) -> Self {
        Self { latest: Mutex::new(VecDeque::from([first])) }
    }

    /// Adds a timing, and removes the oldest one if there are too many.
    pub(super) fn record(&self, timing: Timing) {
        let mut latest = self.lock();
        if latest.len() >= KEPT {
            latest.pop_front();
        }
        latest.push_back(timing);
    }

    /// Waits until a hash has taken as long as a hash at the current cost. Only the last milliseconds occupy a thread,
    /// which is never a hash thread.
    ///
    /// # Errors
    /// Returns [`ServiceError::Internal`] if the random generator fails.
    pub(super) async fn equalize(&self, timing: Timing) -> Result<(), ServiceError> {
        let end = timing.ended.checked_add(timing.rest_of(self.pick()?)).unwrap_or(timing.ended);

        let on_thread = end.checked_sub(THREAD_DELAY).unwrap_or(timing.ended);
        tokio::time::sleep_until(on_thread.into()).await;
        let exact = tokio::task::spawn_blocking(move || {
            thread::sleep(end.saturating_duration_since(Instant::now()).saturating_sub(SPIN_DELAY));
            while Instant::now() < end {
                hint::spin_loop();
            }
        });
        exact.await.map_err(|error| ServiceError::internal(CONTEXT, error))
    }

    /// Returns a random timing. Timings in order would repeat the timings of the preceding requests.
    fn pick(&self) -> Result<Timing, ServiceError> {
        let [byte] = random_bytes()?;
        let latest = self.lock();
        let index = usize::from(byte).checked_rem(latest.len());
        let picked = index.and_then(|index| latest.get(index)).copied();
        picked.ok_or_else(|| ServiceError::internal(CONTEXT, "no hash was measured"))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Timing>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
