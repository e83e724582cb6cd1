//! Clients that hold on to connections: the service drops each of them in time and serves the others meanwhile. Also
//! the limits of HTTP/2 and of open files.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream, tcp::OwnedReadHalf},
    task::JoinSet,
    time::{sleep, timeout},
};
use vestibule::server::DeadlineSettings;

use crate::support::{
    TestApp,
    process::{Deployment, Server},
    results::ResultRow,
    rounds,
    usage::Usage,
};

/// The deadline for clients in these tests.
const DEADLINE: Duration = Duration::from_secs(1);
/// How late a busy machine may be: thousands of connections end at the same moment.
const SLACK: Duration = Duration::from_secs(14);
/// The pause between the bytes of a slow client. It is shorter than the deadline, which must not restart with each
/// byte.
const PAUSE: Duration = Duration::from_millis(200);
/// The start of an HTTP/2 connection (RFC 9113 section 3.4).
const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The largest response of the service.
const LARGE: &str = "/docs/swagger-ui-bundle.js";

async fn app_with_short_deadlines() -> TestApp {
    let deadlines = DeadlineSettings { head: DEADLINE, idle: DEADLINE, response: DEADLINE };
    let app = TestApp::builder().deadlines(deadlines).setting("server.body_timeout", "1s");
    app.setting("server.max_connections", 15_000).start().await
}

/// A slow client: it sends `at_once`, and then `then` byte by byte, over and over.
#[derive(Clone, Copy)]
struct SlowClient {
    name: &'static str,
    at_once: &'static str,
    then: &'static str,
    reads: bool,
}

const SLOW_CLIENTS: [SlowClient; 8] = [
    SlowClient { name: "silent", at_once: "", then: "", reads: true },
    SlowClient { name: "half a preface", at_once: "PRI * HT", then: "", reads: true },
    SlowClient { name: "slow preface", at_once: "", then: PREFACE, reads: true },
    SlowClient { name: "preface alone", at_once: PREFACE, then: "", reads: true },
    SlowClient { name: "slow head", at_once: "GET /me HTTP/1.1\r\nhost: a\r\n", then: "x-a: b\r\n", reads: true },
    SlowClient {
        name: "slow body",
        at_once: "POST /login HTTP/1.1\r\nhost: a\r\ncontent-length: 9999\r\n\r\n",
        then: "{",
        reads: true,
    },
    SlowClient { name: "idle", at_once: "GET /nothing HTTP/1.1\r\nhost: a\r\n\r\n", then: "", reads: true },
    SlowClient {
        name: "slow reader",
        at_once: "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: a\r\n\r\n",
        then: "",
        reads: false,
    },
];

impl SlowClient {
    /// Returns how long the service keeps the connection.
    async fn time_until_dropped(self, mut stream: TcpStream) -> Duration {
        let begun = Instant::now();
        stream.write_all(self.at_once.as_bytes()).await.unwrap();
        let mut bytes = self.then.bytes().cycle();
        if !self.reads {
            // Whatever the system has buffered still arrives, so the end shows only in the missing rest.
            sleep(3 * DEADLINE).await;
        }
        let (mut buffer, mut read) = (vec![0; 65_536], 0);
        loop {
            tokio::select! {
                outcome = stream.read(&mut buffer) => match outcome {
                    Ok(length @ 1..) => read += length,
                    Ok(0) | Err(_) => break,
                },
                () = sleep(PAUSE) => if let Some(byte) = bytes.next() && stream.write_all(&[byte]).await.is_err() {
                    break;
                },
            }
        }
        assert!(read < 1_000_000, "{}: the whole response was sent", self.name);
        begun.elapsed()
    }
}

/// Returns the 99th percentile response time of a cheap request, over at least `least` requests and as long as `busy`
/// returns true.
async fn p99(app: &TestApp, least: usize, mut busy: impl FnMut() -> bool) -> Duration {
    let mut times = Vec::new();
    while times.len() < least || busy() {
        let begun = Instant::now();
        assert_eq!(app.get("/.well-known/jwks.json").send().await.status, 200);
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    times[(times.len() * 99).div_ceil(100) - 1]
}

/// Also covers S78 and R22.
#[apply(trial)]
async fn slow_clients_are_dropped_while_others_are_served_s75_t5() {
    let app = app_with_short_deadlines().await;
    let quiet = p99(&app, 300, || false).await;
    let clients = rounds(200, 5000);
    let mut attack = JoinSet::new();
    for number in 0..clients {
        let (slow, socket) = (SLOW_CLIENTS[number % SLOW_CLIENTS.len()], TcpSocket::new_v4().unwrap());
        // The client's own receive buffer is not under the service's control.
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let stream = socket.connect(app.address).await.unwrap();
        attack.spawn(async move { (slow.name, slow.time_until_dropped(stream).await) });
        if number % 100 == 99 {
            // If the accept queue overflows, the system drops connections without telling their clients.
            sleep(Duration::from_millis(20)).await;
        }
    }
    let mut longest = BTreeMap::new();
    let busy = || {
        while let Some(ended) = attack.try_join_next() {
            let (name, lasted) = ended.unwrap();
            let (number, longest) = longest.entry(name).or_insert((0, Duration::ZERO));
            *number += 1;
            *longest = lasted.max(*longest);
        }
        !attack.is_empty()
    };
    let under_attack = timeout(Duration::from_mins(2), p99(&app, 300, busy)).await;
    assert!(under_attack.is_ok(), "{} were not dropped; dropped: {longest:.1?}", attack.len());
    let under_attack = under_attack.unwrap();
    let result = ResultRow {
        id: "R22",
        scenario: "slow clients",
        rounds: 1,
        notes: format!(
            "{clients} clients, the last dropped after {:.1?}; p99 of /.well-known/jwks.json {quiet:.1?} without load, \
             {under_attack:.1?} under attack (debug build)",
            longest.values().map(|(_, longest)| *longest).max().unwrap(),
        ),
        ..ResultRow::default()
    };
    result.write();
    println!("slow_clients: with a deadline of {DEADLINE:?}, dropped per kind and after at most: {longest:.1?}");
    for (name, (_, lasted)) in longest {
        assert!(lasted < DEADLINE + SLACK, "{name}: {lasted:?}");
    }
    assert!(under_attack <= 2 * quiet + Duration::from_millis(250), "{quiet:?}, under attack {under_attack:?}");
}

/// Returns whether the connection ends in time, as seen by the writer or by the reader.
async fn ends_in_time(writing: impl Future<Output = ()>, reading: impl Future<Output = ()>) -> bool {
    let either = async {
        tokio::select! { () = writing => {}, () = reading => {} }
    };
    timeout(SLACK, either).await.is_ok()
}

/// Reads until the connection ends.
async fn read_all(input: &mut OwnedReadHalf) {
    let mut buffer = [0; 4096];
    while let Ok(1..) = input.read(&mut buffer).await {}
}

/// In each case the other deadlines are too long to end the connection within the test.
#[apply(trial)]
async fn each_deadline_applies_on_its_own_s75_t5() {
    const FIRST: &[u8] = b"GET /nothing HTTP/1.1\r\nhost: a\r\n\r\n";
    const BEGUN: &[u8] = b"GET /nothing HTTP/1.1\r\nhost: a\r\n";
    let long = Duration::from_mins(1);
    let patient = DeadlineSettings { head: long, idle: long, response: long };
    let heads = DeadlineSettings { head: DEADLINE, ..patient };
    let pings = preface_with_settings(&[]);
    for (name, deadlines, begin, then, reads) in [
        ("slow head of a second request", heads, FIRST, b"G".as_slice(), true),
        ("half a head behind a request", heads, &[FIRST, BEGUN].concat(), b"", true),
        ("nothing behind a request", DeadlineSettings { idle: DEADLINE, ..patient }, FIRST, b"", true),
        (
            "unread responses without bodies",
            DeadlineSettings { response: DEADLINE, ..patient },
            &pings,
            &PING.repeat(100),
            false,
        ),
    ] {
        let app = TestApp::builder().deadlines(deadlines).start().await;
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let (mut input, mut output) = socket.connect(app.address).await.unwrap().into_split();
        output.write_all(begin).await.unwrap();
        let writing = async {
            while !then.is_empty() && output.write_all(then).await.is_ok() {
                if reads {
                    sleep(PAUSE).await;
                }
            }
            if then.is_empty() {
                std::future::pending::<()>().await;
            }
        };
        let reading = async {
            if reads {
                read_all(&mut input).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        assert!(ends_in_time(writing, reading).await, "{name}: the connection was not closed");
    }
}

#[apply(trial)]
async fn unread_responses_are_dropped_s88() {
    let app = app_with_short_deadlines().await;
    let client = reqwest::Client::builder().http2_prior_knowledge().http2_initial_stream_window_size(16 * 1024);
    let mut response = client.build().unwrap().get(format!("http://{}{LARGE}", app.address)).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    sleep(3 * DEADLINE).await;
    let rest = async {
        while response.chunk().await?.is_some() {}
        Ok::<_, reqwest::Error>(())
    };
    assert!(timeout(SLACK, rest).await.expect("the connection must be closed").is_err(), "the whole response was sent");
}

/// Builds an HTTP/2 frame (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Returns the preface and a settings frame.
fn preface_with_settings(settings: &[u8]) -> Vec<u8> {
    [PREFACE.as_bytes(), &frame(SETTINGS, 0, 0, settings)].concat()
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// A ping frame, which the server must acknowledge.
const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0anything";
/// `GET http://a/index.html` in HPACK (RFC 7541).
const GET: &[u8] = b"\x82\x86\x85\x41\x01a";
/// `HEAD http://a/index.html` in HPACK.
const HEAD: &[u8] = b"\x02\x04HEAD\x86\x85\x41\x01a";
/// `POST http://a/index.html` in HPACK.
const POST: &[u8] = b"\x83\x86\x85\x41\x01a";

/// Sends frames until the connection ends. Returns how many were sent.
async fn flood(address: SocketAddr, begin: &[u8], next: impl Fn(u32) -> Vec<u8>) -> u32 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&preface_with_settings(&[])).await.unwrap();
    stream.write_all(begin).await.unwrap();
    let (mut input, mut output) = stream.into_split();
    let mut sent = 0;
    let writing = async {
        while output.write_all(&next(sent)).await.is_ok() {
            sent += 1;
        }
    };
    assert!(ends_in_time(writing, read_all(&mut input)).await, "the connection was not closed");
    sent
}

/// Rapid reset (CVE-2023-44487), endless headers (CVE-2024-27316), empty frames (RUSTSEC-2026-0258).
#[apply(trial)]
async fn frame_floods_close_their_connection_s88_t8() {
    let app = TestApp::new().await;
    let stream = |number: u32| 2 * number + 1;
    let resets = flood(app.address, &[], |number| {
        let head = frame(HEADERS, END_HEADERS | END_STREAM, stream(number), GET);
        [head, frame(RST_STREAM, 0, stream(number), &8_u32.to_be_bytes())].concat()
    });
    let resets = resets.await;
    let head = frame(HEADERS, 0, 1, GET);
    let endless = flood(app.address, &head, |_| frame(CONTINUATION, 0, 1, b"\x00\x03x-a\x01b")).await;
    let head = frame(HEADERS, END_HEADERS, 1, POST);
    let empty = flood(app.address, &head, |_| frame(DATA, 0, 1, &[])).await;
    println!("slow_clients: closed after {resets} resets, {endless} continuations, {empty} empty frames");
    assert_eq!(app.get("/.well-known/jwks.json").send().await.status, 200);
}

/// The client reads the first bytes of one response, and then sends other requests.
#[apply(trial)]
async fn unread_stream_is_dropped_beside_active_ones_s88() {
    let app = app_with_short_deadlines().await;
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    // SETTINGS_INITIAL_WINDOW_SIZE is 16.
    let greeting = preface_with_settings(&[0, 4, 0, 0, 0, 16]);
    let unread = frame(HEADERS, END_HEADERS | END_STREAM, 1, GET);
    stream.write_all(&[greeting, unread].concat()).await.unwrap();
    let (mut input, mut output) = stream.into_split();
    let writing = async {
        let mut number = 3;
        while output.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, number, HEAD)).await.is_ok() {
            number += 2;
            sleep(PAUSE).await;
        }
    };
    assert!(ends_in_time(writing, read_all(&mut input)).await, "the connection was not closed");
}

#[apply(trial)]
async fn idle_http_2_connection_is_kept_and_then_closed_s88() {
    let app = app_with_short_deadlines().await;
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(&preface_with_settings(&[])).await.unwrap();
    let (mut buffer, begun) = ([0; 4096], Instant::now());
    for number in [1, 3] {
        stream.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, number, GET)).await.unwrap();
        sleep(DEADLINE * 6 / 10).await;
        assert!(stream.read(&mut buffer).await.unwrap() > 0, "the connection must stay open");
    }
    while let Ok(1..) = timeout(SLACK, stream.read(&mut buffer)).await.expect("the connection must be closed") {}
    assert!(begun.elapsed() > DEADLINE * 3 / 2, "{:?}", begun.elapsed());
}

/// Also covers R23: with more clients than file descriptors the service keeps running, and it serves again when they
/// leave.
#[apply(trial)]
async fn connections_stay_below_the_file_limit_t9() {
    let deployment = Deployment::new().await;
    let usual = deployment.command();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 160 && exec \"$0\""]).arg(usual.get_program());
    command.env_clear().current_dir(usual.get_current_dir().unwrap()).stdout(Stdio::piped());
    command.envs(usual.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stderr(std::fs::File::create(usual.get_current_dir().unwrap().join("0.log")).unwrap());
    let server = Server::start(command);
    let address: SocketAddr = server.address().parse().unwrap();
    let mut crowd = Vec::new();
    for _ in 0..150 {
        crowd.push(TcpStream::connect(address).await.unwrap());
    }
    drop(crowd);
    let response =
        timeout(SLACK, server.call("GET", "/.well-known/jwks.json").send()).await.expect("the service must recover");
    assert_eq!(response.status, 200);
    drop(server);
    let log = deployment.logs();
    for part in ["at most 66 connections", "not 1000", "server.max_connections", "160 files"] {
        assert!(log.contains(part), "{part} in {log}");
    }
    assert!(!log.contains("cannot accept"), "{log}");
}

#[apply(trial)]
async fn idle_listener_does_not_use_up_a_connection() {
    let deployment = Deployment::new().await;
    let mut command = deployment.command();
    command.env("VESTIBULE_SERVER__LISTEN", "127.0.0.1:0,127.0.0.2:0").env("VESTIBULE_SERVER__MAX_CONNECTIONS", "1");
    let server = Server::start(command);
    let line = server.welcome.lines().find(|line| line.contains("listens on")).unwrap();
    for address in line.trim().trim_start_matches("listens on").split(',') {
        let mut stream = TcpStream::connect(address.trim()).await.unwrap();
        stream.write_all(b"GET /nothing HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut response = String::new();
        let ended = timeout(SLACK, stream.read_to_string(&mut response)).await;
        assert!(ended.is_ok() && response.starts_with("HTTP/1.1 404 "), "{address} is not served: {response}");
    }
}

/// Without a free file descriptor, the accept loop retries at most ten times a second, and it serves again when one is
/// free.
#[apply(trial)]
async fn failing_accepts_are_paused_t9() {
    let deployment = Deployment::new().await;
    let server = Server::start(deployment.command());
    assert_eq!(server.call("GET", "/nothing").send().await.status, 404);
    let usual = getrlimit(Resource::Nofile);
    let limit = |current| prlimit(Some(server.pid()), Resource::Nofile, Rlimit { current, ..usual }).unwrap();
    limit(Some(3));
    let usage = Usage::of(server.pid());
    let begun = usage.cpu_time();
    let waiting = TcpStream::connect(server.address()).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    let spent = usage.cpu_time_since(begun);
    limit(usual.current);
    drop(waiting);
    let fresh = reqwest::get(format!("http://{}/.well-known/jwks.json", server.address()));
    assert_eq!(timeout(SLACK, fresh).await.expect("the service must recover").unwrap().status(), 200);
    drop(server);
    assert!(spent < Duration::from_secs(1), "{spent:?} of CPU time in two seconds");
    assert_eq!(deployment.logs().matches("cannot accept a connection").count(), 1, "{}", deployment.logs());
}

#[apply(trial)]
async fn shutdown_wait_is_limited_t10() {
    let deployment = Deployment::new().await;
    let mut command = deployment.command();
    command.env("VESTIBULE_SERVER__SHUTDOWN_TIMEOUT", "1s");
    let server = Server::start(command);
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let head = b"POST /login HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head).await.unwrap();
    assert!(stream.read(&mut [0; 100]).await.unwrap() > 0, "the request is being served");
    server.stop();
    assert!(deployment.logs().contains("they took longer than server.shutdown_timeout"));
}

#[apply(trial)]
async fn http_2_announces_its_limits_s88_t8() {
    let app = TestApp::new().await;
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(&preface_with_settings(&[])).await.unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    let mut settings = vec![0; usize::from(head[2])];
    stream.read_exact(&mut settings).await.unwrap();
    let settings = settings.chunks(6).map(|pair| (pair[1], u32::from_be_bytes(pair[2..].try_into().unwrap())));
    let settings = settings.collect::<BTreeMap<_, _>>();
    // Maximum streams, stream window and header size (RFC 9113 section 6.5.2).
    assert_eq!([3, 4, 6].map(|name| settings.get(&name).copied()), [Some(100), Some(65_536), Some(65_535)]);
}
