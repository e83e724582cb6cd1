//! Retries with exponential backoff and jitter. Every retry of the service goes through [`retry`].

use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable as _};

/// How often and for how long work is retried.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// The delay before the first retry. It doubles with each retry, and jitter of up to the same length is added.
    pub first_delay: Duration,
    /// The maximum delay, before jitter.
    pub max_delay: Duration,
    /// The maximum number of retries. Unlimited if `None`.
    pub max_retries: Option<usize>,
    /// How long after the start of the first attempt a retry may still begin.
    pub give_up_after: Duration,
}

impl RetryPolicy {
    fn backoff(self) -> ExponentialBuilder {
        let backoff = ExponentialBuilder::new()
            .with_factor(2.0)
            .with_min_delay(self.first_delay)
            .with_max_delay(self.max_delay)
            .with_jitter();

        match self.max_retries {
            Some(retries) => backoff.with_max_times(retries),
            None => backoff.without_max_times(),
        }
    }
}

/// Runs `attempt` until it succeeds, fails with an error that `is_transient` rejects, or exceeds the policy. Calls
/// `notify` with each error that leads to a retry, and the delay before it.
///
/// # Errors
/// Returns the error of the last attempt.
pub async fn retry<T, E, F: Future<Output = Result<T, E>>>(
    policy: RetryPolicy,
    attempt: impl FnMut() -> F,
    is_transient: impl Fn(&E) -> bool,
    notify: impl FnMut(&E, Duration),
) -> Result<T, E> {
    let started = Instant::now();
    let may_retry = |error: &E| is_transient(error) && started.elapsed() < policy.give_up_after;

    attempt.retry(policy.backoff()).when(may_retry).notify(notify).await
}
