//! The bounded queue of hash jobs, and the threads that run them.

use std::{
    collections::VecDeque,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use super::argon::{Cost, Engine};

/// By how much hash threads raise their `nice` value, which lowers their priority.
const NICENESS: i32 = 5;

/// One computation on a hash thread.
pub(super) type Job = Box<dyn FnOnce(&mut Engine) + Send>;

/// A queue of at most `capacity` jobs.
pub(super) struct JobQueue {
    state: Mutex<State>,
    changed: Condvar,
    capacity: usize,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

/// The error of a full queue.
pub(super) struct QueueFull;

impl JobQueue {
    /// Creates a queue, and starts threads that run its jobs until it is closed.
    ///
    /// # Errors
    /// Returns the error of the operating system if it cannot start a thread.
    pub(super) fn start(threads: usize, capacity: usize, cost: Cost) -> io::Result<Arc<Self>> {
        let queue = Arc::new(Self { state: Mutex::default(), changed: Condvar::new(), capacity });
        for number in 0..threads {
            let queue = Arc::clone(&queue);
            let name = format!("hash-{number}");
            thread::Builder::new().name(name).spawn(move || queue.run_jobs(cost))?;
        }
        Ok(queue)
    }

    /// Adds a job.
    ///
    /// # Errors
    /// Returns [`QueueFull`] if the queue has no room.
    pub(super) fn push(&self, job: Job) -> Result<(), QueueFull> {
        let mut state = self.lock();
        if state.jobs.len() >= self.capacity {
            return Err(QueueFull);
        }
        state.jobs.push_back(job);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Returns the number of jobs that wait for a thread.
    pub(super) fn len(&self) -> usize {
        self.lock().jobs.len()
    }

    /// Returns whether the queue has no room.
    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.capacity
    }

    /// Ends the threads after their current jobs. Waiting jobs are not run.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn run_jobs(&self, cost: Cost) {
        lower_priority();
        let mut engine = Engine::new(cost);
        while let Some(job) = self.next() {
            // A panic fails the request of this job, but does not end the thread.
            if catch_unwind(AssertUnwindSafe(|| job(&mut engine))).is_err() {
                engine = Engine::new(cost);
            }
        }
    }

    /// Waits for the next job. Returns `None` once the queue is closed.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lowers the scheduling priority of the calling thread, if the system supports this for a single thread.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "cannot lower the priority of a hash thread; it keeps the normal priority");
    }
}
