//! The threads that hash, and the bounded queue before them.
//!
//! Hashing is the dearest thing a request can ask for. It runs on as many threads as there are cores, below the
//! priority of the threads that serve requests; what does not fit into the queue, or waits too long in it, is refused,
//! and work whose caller has gone is dropped before its turn.

use std::{
    collections::VecDeque,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;
use tracing::Instrument as _;

use super::{
    Normalised,
    argon::{Cost, Engine, Stored},
    pace::{Pace, Span},
};
use crate::{domain::fault::Fault, metrics::Metrics, secret::PasswordHash};

/// How far the hashing threads stand back behind those that serve requests, in steps of `nice`.
const NICENESS: i32 = 5;

/// How passwords are hashed.
#[derive(Clone, Copy, Debug)]
pub struct HashingSettings {
    /// What each new hash costs.
    pub cost: Cost,
    /// How many threads hash.
    pub threads: usize,
    /// How many passwords may wait.
    pub queue_length: usize,
    /// How long one may wait, its own hash and the time for which its answer is held back included.
    pub queue_wait: Duration,
}

/// What checking a password found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the account's password.
    Right {
        /// Whether the stored hash costs less than a new one would.
        outdated: bool,
    },
    /// It is not, or there is no account or no readable hash.
    Wrong,
}

type Job = Box<dyn FnOnce(&mut Engine) + Send>;

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    ready: Condvar,
    computed: AtomicU64,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next job; `None` once the queue is closed.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Hashes and checks passwords; its threads end when it is dropped.
pub struct Hashing {
    queue: Arc<Queue>,
    settings: HashingSettings,
    dummy: Arc<Stored>,
    pace: Arc<Pace>,
    metrics: Arc<Metrics>,
}

impl Hashing {
    /// Starts the threads, after a first hash that shows how long one takes.
    ///
    /// # Errors
    /// When a thread cannot be started, or the cost cannot be computed.
    pub fn start(settings: HashingSettings, metrics: &Arc<Metrics>) -> io::Result<Self> {
        let dummy =
            Stored::dummy(settings.cost).ok_or_else(|| io::Error::other("the dummy password hash cannot be made"))?;
        let mut engine = Engine::new(settings.cost);
        let (result, first) = Span::of(|| engine.verify(b"", &dummy));
        result.map_err(|error| io::Error::other(error.to_string()))?;
        let pace = Arc::new(Pace::new(first));
        let queue = Arc::new(Queue::default());
        for number in 0..settings.threads {
            let queue = Arc::clone(&queue);
            thread::Builder::new().name(format!("hash-{number}")).spawn(move || {
                stand_back();
                let mut engine = Engine::new(settings.cost);
                while let Some(job) = queue.next() {
                    // A panic costs the request whose job it is, not the thread.
                    if catch_unwind(AssertUnwindSafe(|| job(&mut engine))).is_err() {
                        engine = Engine::new(settings.cost);
                    }
                }
            })?;
        }
        Ok(Self { queue, settings, dummy: Arc::new(dummy), pace, metrics: Arc::clone(metrics) })
    }

    /// Checks a password against a stored PHC string. Without one, or with one that cannot be read or asks for too much,
    /// it computes a hash of the current cost and finds the password wrong.
    ///
    /// # Errors
    /// [`Fault::Busy`] when the queue is full or too slow.
    pub(crate) async fn verify(&self, password: Normalised, phc: Option<&PasswordHash>) -> Result<Verdict, Fault> {
        let stored = match phc {
            Some(phc) => Stored::parse(phc.expose()),
            None => None,
        };
        let real = stored.is_some();
        let stored = stored.map_or_else(|| Arc::clone(&self.dummy), Arc::new);
        let outdated = !stored.cost.covers(self.settings.cost);
        let cost = stored.cost;
        let equal = self.run(cost, move |engine| engine.verify(password.as_bytes(), &stored)).await?;
        Ok(if real && equal { Verdict::Right { outdated } } else { Verdict::Wrong })
    }

    /// The PHC string of a password, at the configured cost.
    ///
    /// # Errors
    /// [`Fault::Busy`] when the queue is full or too slow.
    pub(crate) async fn hash(&self, password: Normalised) -> Result<PasswordHash, Fault> {
        let cost = self.settings.cost;
        self.run(cost, move |engine| engine.hash(password.as_bytes(), cost)).await.map(PasswordHash::from)
    }

    /// Makes sure that the queue is not full, for what need not be begun when it is.
    ///
    /// # Errors
    /// [`Fault::Busy`].
    pub(crate) fn has_room(&self) -> Result<(), Fault> {
        if self.waiting() < self.settings.queue_length { Ok(()) } else { Err(self.busy()) }
    }

    /// How many passwords wait for a thread.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.lock().jobs.len()
    }

    /// How many hashes have been computed since the start.
    #[must_use]
    pub fn computed(&self) -> u64 {
        self.queue.computed.load(Ordering::Relaxed)
    }

    /// Does work of one hash of `cost` on a hashing thread. At another cost than the current one the answer is held back,
    /// whether the password is right or wrong: a right one's account may turn out to be disabled.
    async fn run<T: Send + 'static>(
        &self,
        cost: Cost,
        work: impl FnOnce(&mut Engine) -> Result<T, argon2::Error> + Send + 'static,
    ) -> Result<T, Fault> {
        let current = cost == self.settings.cost;
        let answer = self.enqueue(current, work)?;
        let answered = async {
            let (result, hash) = answer.await.map_err(|gone| Fault::internal("hashing a password", gone))?;
            if !current {
                self.pace.hold(hash).await?;
            }
            result.map_err(|error| Fault::internal("hashing a password", error.to_string()))
        };
        let answered = tokio::time::timeout(self.settings.queue_wait, answered);
        answered.instrument(tracing::debug_span!("hash")).await.unwrap_or_else(|_| Err(self.busy()))
    }

    /// Puts work into the queue; the answer says how long it took.
    fn enqueue<T: Send + 'static>(
        &self,
        current: bool,
        work: impl FnOnce(&mut Engine) -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<(T, Span)>, Fault> {
        let (reply, answer) = oneshot::channel();
        let (queue, pace, metrics) = (Arc::clone(&self.queue), Arc::clone(&self.pace), Arc::clone(&self.metrics));
        let came = Instant::now();
        {
            let mut state = self.queue.lock();
            if state.jobs.len() >= self.settings.queue_length {
                return Err(self.busy());
            }
            state.jobs.push_back(Box::new(move |engine| {
                if !reply.is_closed() {
                    queue.computed.fetch_add(1, Ordering::Relaxed);
                    metrics.record_hash_wait(came.elapsed());
                    let (result, hash) = Span::of(|| work(engine));
                    metrics.record_hash(hash.took());
                    if current {
                        pace.record(hash);
                    }
                    // The caller may leave during the computation; then nobody wants the answer.
                    drop(reply.send((result, hash)));
                }
            }));
        }
        self.queue.ready.notify_one();
        Ok(answer)
    }

    fn busy(&self) -> Fault {
        Fault::Busy { retry_after: self.settings.queue_wait }
    }
}

impl Drop for Hashing {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.ready.notify_all();
    }
}

impl std::fmt::Debug for Hashing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hashing").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Lowers the scheduling priority of the calling thread, where the system lets a single thread do that.
fn stand_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "hashing threads keep the priority of the others");
    }
}
