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
    light::{Light, REFRESH},
    raw::{Raw, post},
};
use crate::support::{
    figures::Figures,
    process::{Deployment, Server},
    rounds,
    usage::Usage,
};

const CLIENTS: usize = 1000;
/// One in so many clients logs in as an existing user with the right password. The others use unknown names.
const OWNERS: usize = 4;
const ACCOUNTS: usize = 10;
/// How soon a client sends its next request during the flood.
const AGAIN: Duration = Duration::from_secs(1);
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
fn usual(deployment: &Deployment) -> Command {
    let mut command = deployment.command();
    for setting in ["WEAK_HASHING_FOR_TESTS", "HASH_MEMORY", "HASH_ITERATIONS", "QUEUE_LENGTH", "QUEUE_TIMEOUT"] {
        command.env_remove(format!("VESTIBULE_PASSWORDS__{setting}"));
    }
    // Leave room for every client of the flood and for the others.
    command.env("VESTIBULE_SERVER__MAX_CONNECTIONS", "2000");
    command
}

/// A request of a flood.
struct Demand {
    request: Vec<u8>,
    /// The expected status, unless the request is rejected for overload.
    expected: u16,
}

fn login(name: &str) -> Vec<u8> {
    post("/login", &json!({ "username": name, "password": "my_password" }), true)
}

fn logins(number: usize) -> Demand {
    if number.is_multiple_of(OWNERS) {
        Demand { request: login(&format!("owner{}", number / OWNERS % ACCOUNTS)), expected: 200 }
    } else {
        Demand { request: login(&format!("nobody{number}")), expected: 401 }
    }
}

fn made_up_tokens(number: usize) -> Demand {
    Demand { request: post(REFRESH, &json!({ "refresh_token": format!("token{number}") }), true), expected: 401 }
}

/// The outcome of a request.
struct Tried {
    took: Duration,
    status: u16,
    /// The fault of the response.
    fault: Option<String>,
}

impl Demand {
    async fn send(&self, client: &mut Raw) -> Tried {
        let begun = Instant::now();
        let answer = client.ask(&self.request).await;
        let took = begun.elapsed();
        match answer {
            Err(error) => Tried { took, status: 0, fault: Some(error.to_string()) },
            Ok(reply) => {
                let refused = match reply.status {
                    429 => true,
                    503 => reply.body.contains(r#""code":"busy""#),
                    _ => false,
                };
                let fits = reply.status == self.expected || (refused && reply.header("retry-after").is_some());
                let fault = (!fits || !reply.is_ours()).then(|| format!("{reply:?}"));
                Tried { took, status: reply.status, fault }
            }
        }
    }
}

/// Floods the service: all clients send at once, on open connections, and again after a pause until the time is over.
/// Returns the outcomes and the duration. The thread runs with lower priority, as hashing does, because real clients
/// would run on other machines.
fn flood(address: SocketAddr, demand: fn(usize) -> Demand) -> (Vec<Tried>, Duration) {
    let time = Duration::from_secs(rounds(2, 60) as u64);
    let clients = async {
        let clients = join_all((0..CLIENTS).map(|_| Raw::connect(address))).await;
        let begun = Instant::now();
        let clients = clients.into_iter().enumerate().map(async |(number, client)| {
            let (demand, mut client, mut next, mut tries) = (demand(number), client.unwrap(), begun, Vec::new());
            loop {
                tries.push(demand.send(&mut client).await);
                next = (next + AGAIN).max(Instant::now());
                if next >= begun + time {
                    break tries;
                }
                client = Raw::connect(address).await.unwrap();
                sleep_until(next.into()).await;
            }
        });
        (join_all(clients).await.into_iter().flatten().collect(), begun.elapsed())
    };
    nice(NICENESS).unwrap();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(clients)
}

#[apply(trial)]
async fn login_flood_is_shed_r16() {
    let shed = flooded(logins).await;
    shed.tell("login flood");
    shed.holds();
    assert!(!shed.times(&[503]).is_empty(), "the flood must exceed the hashing capacity");
}

#[apply(trial)]
async fn flood_of_made_up_tokens_holds_nobody_up_r16() {
    let shed = flooded(made_up_tokens).await;
    shed.tell("flood of made-up refresh tokens");
    shed.holds();
}

async fn flooded(demand: fn(usize) -> Demand) -> Shed {
    let deployment = Deployment::new().await;
    let server = Server::start(usual(&deployment));
    let (remote, usage) = (server.remote(), Usage::of(server.id()));
    let owners = (0..ACCOUNTS).map(|number| format!("owner{number}"));
    for name in owners.chain(["bystander".to_owned()]) {
        remote.sign_up(&name).await;
    }
    let address = remote.address;
    let (first, second) = (remote.sign_in("bystander").await, remote.sign_in("bystander").await);
    let ((), quiet) = Light::beside(address, &first, sleep(Duration::from_secs(rounds(1, 20) as u64))).await;
    let idle = usage.memory();
    usage.forget_peak();
    let flooding = spawn_blocking(move || thread::spawn(move || flood(address, demand)).join().unwrap());
    let (flooded, busy) = Light::beside(address, &second, flooding).await;
    let ((tries, took), peak) = (flooded.unwrap(), usage.peak_memory());
    server.stop();
    Shed { tries, took, idle, peak, quiet, busy }
}

/// The result of a flood.
struct Shed {
    tries: Vec<Tried>,
    took: Duration,
    /// Memory in KiB.
    idle: u32,
    peak: u32,
    /// Latencies of cheap requests before and during the flood.
    quiet: Light,
    busy: Light,
}

impl Shed {
    /// Returns the duration of each request with one of these statuses.
    fn times(&self, statuses: &[u16]) -> Vec<Duration> {
        self.tries.iter().filter(|tried| statuses.contains(&tried.status)).map(|tried| tried.took).collect()
    }

    fn bound(&self) -> u32 {
        self.idle + u32::try_from(threads()).unwrap() * ARENA + MARGIN
    }

    fn tell(&self, scenario: &'static str) {
        let served = self.times(&[200, 401]);
        let more = format!(
            "{} requests of {CLIENTS} clients in {:.1} s; {} served, {:.0} per second and core, the slowest after {:.2} \
             s; memory {} MiB, at most {} of {} MiB; {}",
            self.tries.len(),
            self.took.as_secs_f64(),
            served.len(),
            f64::from(u32::try_from(served.len() / threads()).unwrap()) / self.took.as_secs_f64(),
            served.iter().max().unwrap().as_secs_f64(),
            self.idle / 1024,
            self.peak / 1024,
            self.bound() / 1024,
            self.busy.after(&self.quiet),
        );
        let worst_503 = self.times(&[503]).into_iter().max();
        Figures { id: "R16", scenario, rounds: 1, worst_503, more, ..Figures::default() }.tell();
    }

    fn holds(&self) {
        let faults: Vec<_> = self.tries.iter().filter_map(|tried| tried.fault.as_deref()).take(3).collect();
        assert_eq!(faults, [""; 0], "every request must be served, or rejected with Retry-After");
        assert!(self.peak <= self.bound(), "{} KiB of {}", self.peak, self.bound());
        self.busy.holds(&self.quiet);
    }
}

/// Clients fill the queue and disconnect. Then the service must compute hardly more than the next login. The CPU time
/// shows how much it computed.
#[apply(trial)]
#[on(SQLite)]
async fn abandoned_logins_are_not_hashed_r16() {
    let (clients, queue) = (200, 150);
    let deployment = Deployment::new().await;
    let mut command = usual(&deployment);
    command.env("VESTIBULE_PASSWORDS__HASH_THREADS", "1").env("VESTIBULE_PASSWORDS__HASH_ITERATIONS", "16");
    command.env("VESTIBULE_PASSWORDS__QUEUE_LENGTH", queue.to_string());
    command.env("VESTIBULE_PASSWORDS__QUEUE_TIMEOUT", "30s");
    let server = Server::start(command);
    let (address, usage) = (server.remote().address, Usage::of(server.id()));
    let one = async || {
        let (begun, before) = (Instant::now(), usage.worked());
        // An abandoned request keeps its place until its turn.
        while Raw::connect(address).await.unwrap().ask(&login("nobody")).await.unwrap().status != 401 {
            sleep(Duration::from_millis(10)).await;
        }
        (begun.elapsed(), usage.worked_since(before))
    };
    let (quiet, cost) = one().await;
    let mut crowd: JoinSet<_> = (0..clients)
        .map(|number| async move {
            let mut client = Raw::connect(address).await.unwrap();
            client.ask(&login(&format!("nobody{number}"))).await.unwrap().status
        })
        .collect();
    // Wait until the queue is full.
    while crowd.join_next().await.unwrap().unwrap() != 503 {}
    crowd.shutdown().await;
    let (next, worked) = one().await;
    server.stop();
    let hashes = worked.div_duration_f64(cost);
    let more = format!(
        "{clients} clients left a full queue of {queue}: {hashes:.1} hashes until the next response, after {:.2} s \
         ({:.2} s on an idle service)",
        next.as_secs_f64(),
        quiet.as_secs_f64(),
    );
    Figures { id: "R16", scenario: "abandoned logins", rounds: 1, more, ..Figures::default() }.tell();
    assert!(hashes < 10.0, "{hashes} hashes");
}
