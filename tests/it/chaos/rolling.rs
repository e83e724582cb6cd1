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
    raw::{Raw, get},
    traffic::Owners,
};
use crate::support::{
    figures::Figures,
    process::{Deployment, Remote, Server, unused_port},
    rounds,
};

const OWNERS: usize = 8;
const READERS: usize = 4;
/// The pause of a reader between two requests.
const PAUSE: Duration = Duration::from_millis(20);
/// The shutdown delay of an instance, longer than the proxy takes to notice.
const DELAY: Duration = Duration::from_secs(2);
/// How much longer an instance may take, because requests in flight finish quickly.
const SLACK: Duration = Duration::from_secs(2);
/// With fewer requests per second, the test would prove nothing.
const LEAST: f64 = 50.0;

/// Clients that each keep one connection to the proxy.
struct Steady {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<(usize, Vec<String>)>>,
}

impl Steady {
    fn start(address: SocketAddr, token: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let requests = [get("/me", token), get("/.well-known/jwks.json", "")].into_iter().cycle().take(READERS);
        let tasks = requests.map(|request| {
            let stop = Arc::clone(&stop);
            tokio::spawn(async move {
                let (mut client, mut served, mut dropped) = (Raw::connect(address).await.unwrap(), 0, Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    match client.ask(&request).await {
                        Ok(reply) if reply.status == 200 && reply.is_ours() => served += 1,
                        outcome => {
                            dropped.push(format!("{outcome:?}"));
                            client = Raw::connect(address).await.unwrap();
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
struct Leaving {
    /// When the instance first reported that it is not ready.
    unready: Option<Duration>,
    /// When it first refused a connection.
    refused: Duration,
    /// When the process exited.
    ended: Duration,
}

async fn stop(server: Server) -> Leaving {
    let (address, begun) = (server.remote().address, Instant::now());
    let ended = spawn_blocking(move || {
        server.stop();
        begun.elapsed()
    });
    let mut leaving = Leaving::default();
    while TcpStream::connect(address).await.is_ok() {
        // The last connection may be accepted but no longer served.
        let answer = Remote::new(address).get("/health/ready").try_send().await;
        if answer.is_ok_and(|answer| answer.status == 503) {
            leaving.unready.get_or_insert(begun.elapsed());
        }
        sleep(Duration::from_millis(10)).await;
    }
    leaving.refused = begun.elapsed();
    leaving.ended = ended.await.unwrap();
    leaving
}

#[apply(trial)]
async fn instances_are_replaced_behind_a_proxy_r18() {
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
    proxy.sees(2).await;
    let remote = Remote::new(proxy.address);
    let token = remote.sign_up("reader").await.access;
    let begun = Instant::now();
    let (owners, steady) = (Owners::start(&remote, "owner", OWNERS), Steady::start(proxy.address, &token));
    sleep(Duration::from_secs(1)).await;
    let (number, mut stops, mut back) = (rounds(2, 20), Vec::new(), Duration::ZERO);
    for round in 0..number {
        let place = round % servers.len();
        stops.push(stop(servers[place].take().unwrap()).await);
        let (starting, command) = (Instant::now(), command(place));
        servers[place] = Some(spawn_blocking(move || Server::start(command)).await.unwrap());
        proxy.sees(2).await;
        back = back.max(starting.elapsed());
        sleep(Duration::from_millis(500)).await;
    }
    let (served, mut dropped) = steady.end().await;
    let tally = owners.look_back(&remote).await;
    let took = begun.elapsed();
    let failed = tally.seen.iter().filter(|seen| seen.status.is_none_or(|status| status >= 500));
    dropped.extend(failed.map(|seen| format!("a simulated user: {:?}", seen.status)));
    let rate = f64::from(u32::try_from(served + tally.seen.len()).unwrap()) / took.as_secs_f64();
    let [retried, redispatched, broken] =
        [proxy.count("wretr").await, proxy.count("wredis").await, proxy.count("eresp").await];
    let most = |of: fn(&Leaving) -> Duration| stops.iter().map(of).max().unwrap().as_secs_f64();
    let figures = Figures {
        recovery: Some(back),
        more: format!(
            "{rate:.0} requests per second, {} dropped; not ready after {:.2} s, connections refused after {:.2} s, exited \
             after {:.2} s; the proxy retried {retried} connections, {redispatched} elsewhere",
            dropped.len(),
            most(|leaving| leaving.unready.unwrap_or(leaving.ended)),
            most(|leaving| leaving.refused),
            most(|leaving| leaving.ended),
        ),
        ..tally.figures("R18", "stopped in turn behind haproxy", number)
    };
    figures.tell();
    tally.holds();
    assert_eq!((dropped, broken), (Vec::new(), 0));
    assert!(rate > LEAST, "{rate} requests per second");
    for Leaving { unready, refused, ended } in stops {
        assert!(unready.is_some_and(|unready| unready + DELAY / 2 < refused), "{unready:?}, {refused:?}");
        assert!(ended < DELAY + SLACK, "{ended:?}");
    }
}
