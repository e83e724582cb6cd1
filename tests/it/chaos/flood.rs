//! More logins at once than the service can hash, with the default cost and queue.

use std::{
    net::SocketAddr,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use rustix::process::nice;
use serde_json::json;
use tokio::{
    task::{JoinSet, spawn_blocking},
    time::{sleep, sleep_until},
};

use super::{
    latency::{Latencies, REFRESH},
    raw_client::{RawClient, post},
};
use crate::support::{
    process::{Deployment, Server},
    results::ResultRow,
    rounds,
    usage::Usage,
};

const CLIENTS: usize = 1000;
/// One in so many clients logs in as an existing user with the right password. The others use unknown names.
const KNOWN_USER_INTERVAL: usize = 4;
const KNOWN_USERS: usize = 10;
/// How soon a client sends its next request during the flood.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// The memory of a hashing thread, and of everything else during a flood, in KiB.
const ARENA: u32 = 19 * 1024;
const MARGIN: u32 = 64 * 1024;
/// The niceness of the clients.
const NICENESS: i32 = 5;

/// Returns the default number of hashing threads.
fn threads() -> usize {
    thread::available_parallelism().unwrap().get()
}

/// Starts from the default settings, except for the rate limits.
fn command_with_defaults(deployment: &Deployment) -> Command {
    let mut command = deployment.command();
    for setting in ["WEAK_HASHING_FOR_TESTS", "HASH_MEMORY", "HASH_ITERATIONS", "QUEUE_LENGTH", "QUEUE_TIMEOUT"] {
        command.env_remove(format!("VESTIBULE_PASSWORDS__{setting}"));
    }
    // Leave room for every client of the flood and for the others.
    command.env("VESTIBULE_SERVER__MAX_CONNECTIONS", "2000");
    command
}

/// A request of a flood.
struct FloodRequest {
    request: Vec<u8>,
    /// The expected status, unless the request is rejected for overload.
    expected: u16,
}

fn login(name: &str) -> Vec<u8> {
    post("/login", &json!({ "username": name, "password": "my_password" }), true)
}

fn logins(number: usize) -> FloodRequest {
    if number.is_multiple_of(KNOWN_USER_INTERVAL) {
        FloodRequest { request: login(&format!("user{}", number / KNOWN_USER_INTERVAL % KNOWN_USERS)), expected: 200 }
    } else {
        FloodRequest { request: login(&format!("nobody{number}")), expected: 401 }
    }
}

fn invalid_tokens(number: usize) -> FloodRequest {
    FloodRequest { request: post(REFRESH, &json!({ "refresh_token": format!("token{number}") }), true), expected: 401 }
}

/// The outcome of a request.
struct Outcome {
    took: Duration,
    status: u16,
    /// The fault of the response.
    fault: Option<String>,
}

impl FloodRequest {
    async fn send(&self, client: &mut RawClient) -> Outcome {
        let begun = Instant::now();
        let response = client.exchange(&self.request).await;
        let took = begun.elapsed();
        match response {
            Err(error) => Outcome { took, status: 0, fault: Some(error.to_string()) },
            Ok(response) => {
                let rejected = match response.status {
                    429 => true,
                    503 => response.body.contains(r#""code":"busy""#),
                    _ => false,
                };
                let fits = response.status == self.expected || (rejected && response.header("retry-after").is_some());
                let fault = (!fits || !response.is_well_formed()).then(|| format!("{response:?}"));
                Outcome { took, status: response.status, fault }
            }
        }
    }
}

/// Floods the service: all clients send at once, on open connections, and again after a pause until the time is over.
/// Returns the outcomes and the duration. The thread runs with lower priority, as hashing does, because real clients
/// would run on other machines.
fn flood(address: SocketAddr, request: fn(usize) -> FloodRequest) -> (Vec<Outcome>, Duration) {
    let time = Duration::from_secs(rounds(2, 60) as u64);
    let clients = async {
        let clients = join_all((0..CLIENTS).map(|_| RawClient::connect(address))).await;
        let begun = Instant::now();
        let clients = clients.into_iter().enumerate().map(async |(number, client)| {
            let (request, mut client, mut next, mut outcomes) = (request(number), client.unwrap(), begun, Vec::new());
            loop {
                outcomes.push(request.send(&mut client).await);
                next = (next + RETRY_INTERVAL).max(Instant::now());
                if next >= begun + time {
                    break outcomes;
                }
                client = RawClient::connect(address).await.unwrap();
                sleep_until(next.into()).await;
            }
        });
        (join_all(clients).await.into_iter().flatten().collect(), begun.elapsed())
    };
    nice(NICENESS).unwrap();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(clients)
}

#[apply(trial)]
async fn excess_logins_are_rejected_in_a_flood_r16() {
    let result = run_flood(logins).await;
    result.write_result("login flood");
    result.assert_bounded();
    assert!(!result.times(&[503]).is_empty(), "the flood must exceed the hashing capacity");
}

#[apply(trial)]
async fn flood_of_invalid_tokens_does_not_delay_others_r16() {
    let result = run_flood(invalid_tokens).await;
    result.write_result("flood of invalid refresh tokens");
    result.assert_bounded();
}

async fn run_flood(request: fn(usize) -> FloodRequest) -> FloodResult {
    let deployment = Deployment::new().await;
    let server = Server::start(command_with_defaults(&deployment));
    let (client, usage) = (server.client(), Usage::of(server.pid()));
    let known_users = (0..KNOWN_USERS).map(|number| format!("user{number}"));
    for name in known_users.chain(["bystander".to_owned()]) {
        client.sign_up(&name).await;
    }
    let address = client.address;
    let (first, second) = (client.sign_in("bystander").await, client.sign_in("bystander").await);
    let ((), quiet) =
        Latencies::measure_during(address, &first, sleep(Duration::from_secs(rounds(1, 20) as u64))).await;
    let idle = usage.memory();
    usage.reset_peak();
    let flooding = spawn_blocking(move || thread::spawn(move || flood(address, request)).join().unwrap());
    let (flooded, busy) = Latencies::measure_during(address, &second, flooding).await;
    let ((outcomes, took), peak) = (flooded.unwrap(), usage.peak_memory());
    server.stop();
    FloodResult { outcomes, took, idle, peak, quiet, busy }
}

/// The result of a flood.
struct FloodResult {
    outcomes: Vec<Outcome>,
    took: Duration,
    /// Memory in KiB.
    idle: u32,
    peak: u32,
    /// Latencies of cheap requests before and during the flood.
    quiet: Latencies,
    busy: Latencies,
}

impl FloodResult {
    /// Returns the duration of each request with one of these statuses.
    fn times(&self, statuses: &[u16]) -> Vec<Duration> {
        self.outcomes.iter().filter(|outcome| statuses.contains(&outcome.status)).map(|outcome| outcome.took).collect()
    }

    fn bound(&self) -> u32 {
        self.idle + u32::try_from(threads()).unwrap() * ARENA + MARGIN
    }

    fn write_result(&self, scenario: &'static str) {
        let served = self.times(&[200, 401]);
        let notes = format!(
            "{} requests of {CLIENTS} clients in {:.1} s; {} served, {:.0} per second and core, the slowest after {:.2} \
             s; memory {} MiB, at most {} of {} MiB; {}",
            self.outcomes.len(),
            self.took.as_secs_f64(),
            served.len(),
            f64::from(u32::try_from(served.len() / threads()).unwrap()) / self.took.as_secs_f64(),
            served.iter().max().unwrap().as_secs_f64(),
            self.idle / 1024,
            self.peak / 1024,
            self.bound() / 1024,
            self.busy.describe_against(&self.quiet),
        );
        let worst_503 = self.times(&[503]).into_iter().max();
        ResultRow { id: "R16", scenario, rounds: 1, worst_503, notes, ..ResultRow::default() }.write();
    }

    fn assert_bounded(&self) {
        let faults: Vec<_> = self.outcomes.iter().filter_map(|outcome| outcome.fault.as_deref()).take(3).collect();
        assert_eq!(faults, [""; 0], "every request must be served, or rejected with Retry-After");
        assert!(self.peak <= self.bound(), "{} KiB of {}", self.peak, self.bound());
        self.busy.assert_close_to(&self.quiet);
    }
}

/// Clients fill the queue and disconnect. Then the service must compute hardly more than the next login. The CPU time
/// shows how much it computed.
#[apply(trial)]
#[on(SQLite)]
async fn abandoned_logins_are_not_hashed_r16() {
    let (clients, queue) = (200, 150);
    let deployment = Deployment::new().await;
    let mut command = command_with_defaults(&deployment);
    command.env("VESTIBULE_PASSWORDS__HASH_THREADS", "1").env("VESTIBULE_PASSWORDS__HASH_ITERATIONS", "16");
    command.env("VESTIBULE_PASSWORDS__QUEUE_LENGTH", queue.to_string());
    command.env("VESTIBULE_PASSWORDS__QUEUE_TIMEOUT", "30s");
    let server = Server::start(command);
    let (address, usage) = (server.client().address, Usage::of(server.pid()));
    let one = async || {
        let (begun, before) = (Instant::now(), usage.cpu_time());
        // An abandoned request keeps its place until its turn.
        while RawClient::connect(address).await.unwrap().exchange(&login("nobody")).await.unwrap().status != 401 {
            sleep(Duration::from_millis(10)).await;
        }
        (begun.elapsed(), usage.cpu_time_since(before))
    };
    let (quiet, cost) = one().await;
    let mut crowd: JoinSet<_> = (0..clients)
        .map(|number| async move {
            let mut client = RawClient::connect(address).await.unwrap();
            client.exchange(&login(&format!("nobody{number}"))).await.unwrap().status
        })
        .collect();
    // Wait until the queue is full.
    while crowd.join_next().await.unwrap().unwrap() != 503 {}
    crowd.shutdown().await;
    let (next, worked) = one().await;
    server.stop();
    let hashes = worked.div_duration_f64(cost);
    let notes = format!(
        "{clients} clients left a full queue of {queue}: {hashes:.1} hashes until the next response, after {:.2} s \
         ({:.2} s on an idle service)",
        next.as_secs_f64(),
        quiet.as_secs_f64(),
    );
    ResultRow { id: "R16", scenario: "abandoned logins", rounds: 1, notes, ..ResultRow::default() }.write();
    assert!(hashes < 10.0, "{hashes} hashes");
}
