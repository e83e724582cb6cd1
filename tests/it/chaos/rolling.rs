//! Rolling updates: instances behind a proxy are stopped and restarted one after the other, under load.

use std::{
    net::SocketAddr,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tokio::{
    net::TcpStream,
    task::{JoinHandle, spawn_blocking},
    time::sleep,
};

use super::{
    proxy::Proxy,
    raw_client::{RawClient, get},
    traffic::SimulatedUsers,
};
use crate::support::{
    process::{Deployment, Server, ServiceClient, unused_port},
    results::ResultRow,
    rounds,
};

const USERS: usize = 8;
const READERS: usize = 4;
/// The pause of a reader between two requests.
const PAUSE: Duration = Duration::from_millis(20);
/// The shutdown delay of an instance, longer than the proxy takes to notice.
const DELAY: Duration = Duration::from_secs(2);
/// How much longer an instance may take, because requests in flight finish quickly.
const SLACK: Duration = Duration::from_secs(2);
/// With fewer requests per second, the test would prove nothing.
const MIN_RATE: f64 = 50.0;

/// Clients that each keep one connection to the proxy.
struct PersistentClients {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<(usize, Vec<String>)>>,
}

impl PersistentClients {
    fn start(address: SocketAddr, token: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let requests = [get("/me", token), get("/.well-known/jwks.json", "")].into_iter().cycle().take(READERS);
        let tasks = requests.map(|request| {
            let stop = Arc::clone(&stop);
            tokio::spawn(async move {
                let (mut client, mut served, mut dropped) = (RawClient::connect(address).await.unwrap(), 0, Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    match client.exchange(&request).await {
                        Ok(response) if response.status == 200 && response.is_well_formed() => served += 1,
                        outcome => {
                            dropped.push(format!("{outcome:?}"));
                            client = RawClient::connect(address).await.unwrap();
                        }
                    }
                    sleep(PAUSE).await;
                }
                (served, dropped)
            })
        });
        Self { tasks: tasks.collect(), stop }
    }

    /// Returns how many requests were served, and the outcomes of the others.
    async fn end(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = join_all(self.tasks).await.into_iter().map(Result::unwrap);
        ended.fold((0, Vec::new()), |(number, all), (served, dropped)| (number + served, [all, dropped].concat()))
    }
}

/// How an instance shuts down, as seen by a client that polls its readiness. All times count from the signal.
#[derive(Default)]
struct StopTimes {
    /// When the instance first reported that it is not ready.
    unready: Option<Duration>,
    /// When it first refused a connection.
    refused: Duration,
    /// When the process exited.
    ended: Duration,
}

async fn stop(server: Server) -> StopTimes {
    let (address, begun) = (server.client().address, Instant::now());
    let ended = spawn_blocking(move || {
        server.stop();
        begun.elapsed()
    });
    let mut times = StopTimes::default();
    while TcpStream::connect(address).await.is_ok() {
        // The last connection may be accepted but no longer served.
        let response = ServiceClient::new(address).get("/health/ready").try_send().await;
        if response.is_ok_and(|response| response.status == 503) {
            times.unready.get_or_insert(begun.elapsed());
        }
        sleep(Duration::from_millis(10)).await;
    }
    times.refused = begun.elapsed();
    times.ended = ended.await.unwrap();
    times
}

#[apply(trial)]
async fn rolling_update_behind_a_proxy_drops_no_request_r18() {
    let deployment = Deployment::new().await;
    let addresses = [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], unused_port())));
    let command = |number: usize| -> Command {
        let mut command = deployment.command();
        command.env("VESTIBULE_SERVER__LISTEN", addresses[number].to_string());
        command.env("VESTIBULE_SERVER__SHUTDOWN_DELAY", format!("{}s", DELAY.as_secs()));
        command
    };
    let mut servers = [0, 1].map(|number| Some(Server::start(command(number))));
    let proxy = Proxy::start(&addresses);
    proxy.wait_for_instances(2).await;
    let client = ServiceClient::new(proxy.address);
    let token = client.sign_up("reader").await.access;
    let begun = Instant::now();
    let (users, persistent) =
        (SimulatedUsers::start(&client, "user", USERS), PersistentClients::start(proxy.address, &token));
    sleep(Duration::from_secs(1)).await;
    let (number, mut stops, mut back) = (rounds(2, 20), Vec::new(), Duration::ZERO);
    for round in 0..number {
        let place = round % servers.len();
        stops.push(stop(servers[place].take().unwrap()).await);
        let (starting, command) = (Instant::now(), command(place));
        servers[place] = Some(spawn_blocking(move || Server::start(command)).await.unwrap());
        proxy.wait_for_instances(2).await;
        back = back.max(starting.elapsed());
        sleep(Duration::from_millis(500)).await;
    }
    let (served, mut dropped) = persistent.end().await;
    let tally = users.verify_acknowledged(&client).await;
    let took = begun.elapsed();
    let failed = tally.requests.iter().filter(|request| request.status.is_none_or(|status| status >= 500));
    dropped.extend(failed.map(|request| format!("a simulated user: {:?}", request.status)));
    let rate = f64::from(u32::try_from(served + tally.requests.len()).unwrap()) / took.as_secs_f64();
    let [retried, redispatched, broken] =
        [proxy.count("wretr").await, proxy.count("wredis").await, proxy.count("eresp").await];
    let most = |of: fn(&StopTimes) -> Duration| stops.iter().map(of).max().unwrap().as_secs_f64();
    let result = ResultRow {
        recovery: Some(back),
        notes: format!(
            "{rate:.0} requests per second, {} dropped; not ready after {:.2} s, connections refused after {:.2} s, exited \
             after {:.2} s; the proxy retried {retried} connections, {redispatched} elsewhere",
            dropped.len(),
            most(|times| times.unready.unwrap_or(times.ended)),
            most(|times| times.refused),
            most(|times| times.ended),
        ),
        ..tally.result_row("R18", "stopped in turn behind haproxy", number)
    };
    result.write();
    tally.assert_consistent();
    assert_eq!((dropped, broken), (Vec::new(), 0));
    assert!(rate > MIN_RATE, "{rate} requests per second");
    for StopTimes { unready, refused, ended } in stops {
        assert!(unready.is_some_and(|unready| unready + DELAY / 2 < refused), "{unready:?}, {refused:?}");
        assert!(ended < DELAY + SLACK, "{ended:?}");
    }
}
