//! Background load while something happens to the machine.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tokio::{task::JoinHandle, time::sleep};

use super::simulated_user::{SimulatedUser, Tally};
use crate::support::process::ServiceClient;

/// Paths that need no database.
const CHEAP: [&str; 4] = ["/.well-known/jwks.json", "/health/live", "/docs", "/openapi.json"];
/// The pause of a client between two requests.
const PAUSE: Duration = Duration::from_millis(20);
/// How long the service may take to become ready.
const READY_TIMEOUT: Duration = Duration::from_mins(1);

/// Simulated users who use the service.
pub(super) struct SimulatedUsers {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<SimulatedUser>>,
}

impl SimulatedUsers {
    /// Starts this many users, with names that begin with `prefix`.
    pub(super) fn start(client: &ServiceClient, prefix: &str, number: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = (0..number).map(|number| {
            let mut user = SimulatedUser::new(format!("{prefix}{number}"));
            let (client, stop) = (client.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    user.step(&client).await;
                    sleep(PAUSE).await;
                }
                user
            })
        });
        Self { tasks: tasks.collect(), stop }
    }

    /// Stops the load, and lets every user verify what was acknowledged. Returns the sum of their outcomes.
    pub(super) async fn verify_acknowledged(self, client: &ServiceClient) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut users: Vec<_> = join_all(self.tasks).await.into_iter().map(|user| user.unwrap()).collect();
        join_all(users.iter_mut().map(|user| user.verify_acknowledged(client))).await;
        let mut tally = Tally::default();
        for user in users {
            tally.add(user.tally);
        }
        tally
    }
}

/// Clients of paths that need no database.
pub(super) struct Readers {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Vec<Duration>>>,
}

impl Readers {
    pub(super) fn start(client: &ServiceClient) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = CHEAP.map(|path| {
            let (client, stop) = (client.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut times = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    let response = client.get(path).send().await;
                    assert_eq!(response.status, 200, "{path} needs no database: {response:?}");
                    times.push(begun.elapsed());
                    sleep(PAUSE).await;
                }
                times
            })
        });
        Self { tasks: tasks.into(), stop }
    }

    /// Stops the clients and returns how long each request took. All were served.
    pub(super) async fn end(self) -> Vec<Duration> {
        self.stop.store(true, Ordering::Relaxed);
        join_all(self.tasks).await.into_iter().flat_map(|times| times.unwrap()).collect()
    }
}

/// Returns the 99th percentile.
pub(super) fn p99(times: Vec<Duration>) -> Duration {
    percentile(99, times)
}

pub(super) fn percentile(number: usize, mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let place = (times.len() * number).div_ceil(100).saturating_sub(1);
    times.get(place).copied().unwrap_or_default()
}

/// Waits until the service is ready. Returns how long after `since` that was.
pub(super) async fn wait_until_ready(client: &ServiceClient, since: Instant) -> Duration {
    loop {
        let response = client.get("/health/ready").try_send().await;
        if response.is_ok_and(|response| response.status == 200) {
            return since.elapsed();
        }
        assert!(since.elapsed() < READY_TIMEOUT, "the service does not become ready");
        sleep(PAUSE).await;
    }
}
