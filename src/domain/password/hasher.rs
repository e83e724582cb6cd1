//! The password hasher.
//!
//! A hash is the most expensive work that a request can cause. Hashes run on separate threads, by default one per core,
//! with a lower priority than the threads that serve requests. If the queue is full or a job takes too long, the
//! request fails as busy. A job whose caller has gone is dropped before it starts.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::oneshot;
use tracing::Instrument as _;

use super::{
    argon::{Cost, Engine, StoredHash},
    hash_timings::{HashTimings, Timing},
    job_queue::JobQueue,
    normalized::NormalizedPassword,
};
use crate::{error::ServiceError, metrics::Metrics, secret::PasswordHash};

const CONTEXT: &str = "hashing a password";

/// The settings of the hasher.
#[derive(Clone, Copy, Debug)]
pub struct HasherSettings {
    /// The cost of new hashes.
    pub cost: Cost,
    /// The number of threads that compute hashes.
    pub threads: usize,
    /// The maximum number of waiting jobs.
    pub queue_length: usize,
    /// How long a job may take, including its wait, its hash and the delay of timing equalization.
    pub queue_timeout: Duration,
}

/// The result of verifying a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The password is right.
    Match {
        /// Whether the stored hash costs less than a new hash.
        is_outdated: bool,
    },
    /// The password is wrong, or there is no user or no valid hash.
    Mismatch,
}

/// The hasher, which hashes and verifies passwords. Its threads end when it is dropped.
pub struct Hasher {
    queue: Arc<JobQueue>,
    settings: HasherSettings,
    /// The hash that is computed if there is no valid stored hash.
    dummy: Arc<StoredHash>,
    timings: Arc<HashTimings>,
    computed: Arc<AtomicU64>,
    metrics: Arc<Metrics>,
}

impl Hasher {
    /// Starts the threads, and computes a first hash to measure its duration.
    ///
    /// # Errors
    /// Returns [`ServiceError::Internal`] if a thread cannot be started, or a hash of the cost cannot be computed.
    pub fn start(settings: HasherSettings, metrics: &Arc<Metrics>) -> Result<Self, ServiceError> {
        let dummy = StoredHash::dummy(settings.cost)?;
        let mut engine = Engine::new(settings.cost);
        let (result, first) = Timing::measure(|| engine.verify(b"", &dummy));
        result?;

        Ok(Self {
            queue: JobQueue::start(settings.threads, settings.queue_length, settings.cost)
                .map_err(|error| ServiceError::internal("starting the hash threads", error))?,
            settings,
            dummy: Arc::new(dummy),
            timings: Arc::new(HashTimings::new(first)),
            computed: Arc::default(),
            metrics: Arc::clone(metrics),
        })
    }

    /// Verifies a password against a stored PHC string.
    ///
    /// If the stored hash is missing, invalid or too expensive, computes a dummy hash of the current cost and returns
    /// [`Verdict::Mismatch`], so that an unknown username takes as long as a known one.
    ///
    /// # Errors
    /// Returns [`ServiceError::Busy`] if the queue is full or too slow.
    pub async fn verify(
        &self,
        password: NormalizedPassword,
        stored: Option<&PasswordHash>,
    ) -> Result<Verdict, ServiceError> {
        let parsed = stored.and_then(|phc| StoredHash::parse(phc.expose()));
        let is_real = parsed.is_some();
        let hash = parsed.map_or_else(|| Arc::clone(&self.dummy), Arc::new);

        let (cost, is_outdated) = (hash.cost, !hash.cost.is_at_least(self.settings.cost));
        let is_equal = self.run(cost, move |engine| engine.verify(password.as_bytes(), &hash)).await?;
        Ok(if is_real && is_equal { Verdict::Match { is_outdated } } else { Verdict::Mismatch })
    }

    /// Returns the PHC string of a password at the current cost.
    ///
    /// # Errors
    /// Returns [`ServiceError::Busy`] if the queue is full or too slow.
    pub async fn hash(&self, password: NormalizedPassword) -> Result<PasswordHash, ServiceError> {
        let cost = self.settings.cost;
        self.run(cost, move |engine| engine.hash(password.as_bytes(), cost)).await.map(PasswordHash::from)
    }

    /// Checks that the queue has room. Call it before the work of a request that will need a hash.
    ///
    /// # Errors
    /// Returns [`ServiceError::Busy`] if the queue is full.
    pub fn check_capacity(&self) -> Result<(), ServiceError> {
        if self.queue.is_full() { Err(self.busy()) } else { Ok(()) }
    }

    /// Returns the number of jobs that wait for a thread.
    pub fn queue_length(&self) -> usize {
        self.queue.len()
    }

    /// Returns the number of hashes that have been started since the hasher was created.
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    /// Runs one hash of `cost` on a hash thread.
    ///
    /// If `cost` is not the current cost, delays the result. This applies to right passwords too, because their user
    /// may be disabled.
    async fn run<T: Send + 'static>(
        &self,
        cost: Cost,
        work: impl FnOnce(&mut Engine) -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let is_current = cost == self.settings.cost;
        let receiver = self.enqueue(is_current, work)?;

        let result = async {
            let (result, timing) = receiver.await.map_err(|gone| ServiceError::internal(CONTEXT, gone))?;
            if !is_current {
                self.timings.equalize(timing).await?;
            }
            result
        };
        let result = tokio::time::timeout(self.settings.queue_timeout, result);
        result.instrument(tracing::debug_span!("hash")).await.unwrap_or_else(|_| Err(self.busy()))
    }

    /// Adds work to the queue. Its result includes its timing.
    fn enqueue<T: Send + 'static>(
        &self,
        is_current: bool,
        work: impl FnOnce(&mut Engine) -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<(T, Timing)>, ServiceError> {
        let (sender, receiver) = oneshot::channel();
        let (timings, computed) = (Arc::clone(&self.timings), Arc::clone(&self.computed));
        let metrics = Arc::clone(&self.metrics);
        let enqueued = Instant::now();

        let job = Box::new(move |engine: &mut Engine| {
            if sender.is_closed() {
                return;
            }
            computed.fetch_add(1, Ordering::Relaxed);
            metrics.record_hash_wait(enqueued.elapsed());
            let (result, timing) = Timing::measure(|| work(engine));
            metrics.record_hash(timing.elapsed());
            if is_current {
                timings.record(timing);
            }
            // Fails if the caller has gone in the meantime.
            drop(sender.send((result, timing)));
        });
        self.queue.push(job).map_err(|_| self.busy())?;
        Ok(receiver)
    }

    fn busy(&self) -> ServiceError {
        ServiceError::Busy { retry_after: self.settings.queue_timeout }
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("settings", &self.settings).finish_non_exhaustive()
    }
}
