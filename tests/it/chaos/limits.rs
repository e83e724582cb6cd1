//! Panicking handlers, and a process without a free file descriptor: only the affected requests fail.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::json;
use tokio::{
    io::AsyncReadExt as _,
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{raw_client::RawClient, traffic::p99};
use crate::support::{
    Fault, TestApp,
    process::{Deployment, Server, ServiceClient},
    results::ResultRow,
    rounds,
    usage::Usage,
};

/// The number of requests that panic at once.
const PARALLEL: usize = 10;

/// Each login panics at another moment: before, during or after its database work. All other requests are served.
#[apply(trial)]
#[on(SQLite)]
async fn each_panic_fails_only_its_own_request_r19() {
    let app = TestApp::builder().fault(Fault::PanicIn("/login")).start().await;
    let john = json!({ "username": "john", "password": "my_password" });
    assert_eq!(app.post("/register").json(&john).send().await.status, 201);
    let number = rounds(50, 500);
    let (mut ids, mut served) = (HashSet::new(), 0);
    for round in 0..number / PARALLEL {
        let panicking = join_all((0..PARALLEL).map(|_| app.post("/login").json(&john).send()));
        let others = async {
            let jane = json!({ "username": format!("jane{round}"), "password": "my_password" });
            assert_eq!(app.post("/register").json(&jane).send().await.status, 201);
            assert_eq!(app.get("/health/ready").send().await.status, 200);
            assert_eq!(app.refresh("nonsense").await.status, 401);
            assert_eq!(app.get("/docs").send().await.status, 200);
            4
        };
        let (responses, others) = tokio::join!(panicking, others);
        for response in responses {
            response.is_problem(500, "internal");
            let id = response.header("x-request-id").to_owned();
            assert_eq!(response.body["request_id"], *id);
            assert!(!id.is_empty() && ids.insert(id), "{response:?}");
        }
        served += others;
    }
    app.get("/nothing").send().await.is_problem(404, "not_found");
    let left = app.app.hasher.queue_length();
    ResultRow {
        id: "R19",
        scenario: "handlers that panic",
        rounds: number,
        notes: format!(
            "{PARALLEL} at once, all got 500 with their own request ID; {served} other requests meanwhile, all served"
        ),
        ..ResultRow::default()
    }
    .write();
    assert_eq!(left, 0, "passwords of failed requests are still queued");
}

/// The limit of open files, and the number of connections that are opened.
const FILES: u32 = 256;
const CROWD: usize = 1000;
/// The part of a core that a process may use while it cannot accept connections.
const IDLE: f64 = 0.2;
const RECOVERY: Duration = Duration::from_secs(5);

/// Sends requests over and over on one connection. Returns how long each took.
async fn keep_requesting(client: ServiceClient, stop: Arc<AtomicBool>) -> Vec<Duration> {
    let mut times = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let response = timeout(RECOVERY, client.get("/.well-known/jwks.json").send());
        assert_eq!(response.await.expect("connected clients must be served").status, 200);
        times.push(begun.elapsed());
        sleep(Duration::from_millis(100)).await;
    }
    times
}

/// Holds an idle connection, and opens another one when it is closed.
async fn hold_connections(address: SocketAddr) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(address).await {
            drop(stream.read(&mut [0]).await);
        }
    }
}

/// Returns how long a new client waits until it is served, or `None` if that exceeds `patience`.
async fn time_until_served(address: SocketAddr, patience: Duration) -> Option<Duration> {
    let begun = Instant::now();
    let response = async {
        let mut client = RawClient::connect(address).await.unwrap();
        client.exchange(&super::raw_client::get("/health/live", "")).await.unwrap()
    };
    let response = timeout(patience, response).await.ok()?;
    assert_eq!(response.status, 200);
    Some(begun.elapsed())
}

#[apply(trial)]
#[on(SQLite)]
async fn running_out_of_file_descriptors_does_not_affect_open_connections_r23() {
    let deployment = Deployment::new().await;
    let server = Server::start(deployment.command_under(&["sh", "-c", &format!("ulimit -n {FILES} && exec \"$0\"")]));
    let (address, usage) = (server.client().address, Usage::of(server.pid()));
    let stop = Arc::new(AtomicBool::new(false));
    let connected: Vec<_> =
        (0..4).map(|_| tokio::spawn(keep_requesting(ServiceClient::new(address), Arc::clone(&stop)))).collect();
    sleep(Duration::from_millis(500)).await;
    // Most of them wait in the accept queue, or for a place in it.
    let crowd: JoinSet<_> = (0..CROWD).map(|_| hold_connections(address)).collect();
    sleep(Duration::from_secs(1)).await;
    let full = time_until_served(address, Duration::from_millis(500)).await.is_none();
    let (mut worst, mut files) = (0.0_f64, 0);
    for _ in 0..rounds(1, 30) {
        let (begun, before) = (Instant::now(), usage.cpu_time());
        sleep(Duration::from_secs(2)).await;
        worst = worst.max(usage.cpu_time_since(before).div_duration_f64(begun.elapsed()));
        files = files.max(usage.open_files());
    }
    drop(crowd);
    let recovery = time_until_served(address, 2 * RECOVERY).await;
    stop.store(true, Ordering::Relaxed);
    let times: Vec<_> = join_all(connected).await.into_iter().flat_map(Result::unwrap).collect();
    server.stop();
    let result = ResultRow {
        id: "R23",
        scenario: "more connections than files",
        rounds: 1,
        recovery,
        notes: format!(
            "{CROWD} connections held, {files} of {FILES} files open, {:.0} % of a core; {} requests of clients that were \
             connected before, all served, p99 {:.1} ms",
            worst * 100.0,
            times.len(),
            p99(times).as_secs_f64() * 1000.0,
        ),
        ..ResultRow::default()
    };
    result.write();
    assert!(full, "a new client was served despite {CROWD} connections");
    assert!(worst < IDLE, "{worst} of a core");
    assert!(recovery.is_some_and(|recovery| recovery < RECOVERY), "{recovery:?}");
    assert!(!deployment.logs().contains("cannot accept"), "{}", deployment.logs());
}
