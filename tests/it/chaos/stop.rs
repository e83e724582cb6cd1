//! Shutdown while clients are in the middle of requests.

use std::{
    convert::Infallible,
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures_util::stream;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    task::{JoinSet, spawn_blocking},
    time::sleep,
};

use super::raw_client::{RawClient, RawResponse};
use crate::support::{
    process::{Deployment, Server},
    results::ResultRow,
    rounds,
};

const DELAY: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(4);
const SLACK: Duration = Duration::from_secs(2);
/// How long slow clients take: until well after the service has stopped accepting connections.
const SLOW_DURATION: Duration = Duration::from_secs(3);
/// The number of pieces that slow clients divide their work into.
const PIECES: u32 = 30;
/// A request for the largest response of the service.
const LARGE: &str = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
/// What stuck clients send before they stop writing and reading.
const STUCK: [&str; 6] = [
    "",
    "GET /me HTTP/1.1\r\nhost: a\r\n",
    "POST /login HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n{",
    "PRI * HT",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    LARGE,
];
/// The number of clients of each kind.
const EACH: usize = 10;

/// Opens a connection with a small receive buffer.
async fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    socket.connect(address).await.unwrap()
}

/// Returns the body of a login in pieces.
fn login() -> (usize, impl Iterator<Item = Vec<u8>>) {
    let body = json!({ "username": "john", "password": "my_password" }).to_string() + &" ".repeat(60);
    let size = body.len().div_ceil(PIECES as usize);
    let pieces: Vec<_> = body.as_bytes().chunks(size).map(<[u8]>::to_vec).collect();
    (body.len(), pieces.into_iter())
}

/// Logs in slowly.
async fn write_slowly(address: SocketAddr) -> u16 {
    let (length, pieces) = login();
    let mut client = RawClient::connect(address).await.unwrap();
    let head = "POST /login HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ";
    client.send(format!("{head}{length}\r\n\r\n").as_bytes()).await.unwrap();
    for piece in pieces {
        client.send(&piece).await.unwrap();
        sleep(SLOW_DURATION / PIECES).await;
    }
    client.receive().await.unwrap().status
}

/// Logs in equally slowly over HTTP/2.
async fn write_slowly_over_http_2(address: SocketAddr) -> u16 {
    let (_, pieces) = login();
    let body = stream::unfold(pieces, async |mut pieces| {
        sleep(SLOW_DURATION / PIECES).await;
        Some((Ok::<_, Infallible>(pieces.next()?), pieces))
    });
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let call = client.post(format!("http://{address}/login")).header("content-type", "application/json");
    call.body(reqwest::Body::wrap_stream(Box::pin(body))).send().await.unwrap().status().as_u16()
}

/// Reads a large response slowly, to its end.
async fn read_slowly(address: SocketAddr) -> u16 {
    let (mut stream, mut bytes, mut piece) = (connect(address).await, Vec::new(), vec![0; 64 * 1024]);
    stream.write_all(LARGE.as_bytes()).await.unwrap();
    let begun = Instant::now();
    loop {
        let length = stream.read(&mut piece).await.unwrap();
        bytes.extend_from_slice(&piece[..length]);
        if length == 0 {
            break RawResponse::parse(&bytes).expect("the response must be complete").status;
        }
        if begun.elapsed() < SLOW_DURATION {
            sleep(SLOW_DURATION / PIECES).await;
        }
    }
}

/// Stuck clients must not delay the shutdown beyond the configured timeout, and slow clients must be able to finish.
#[apply(trial)]
#[on(SQLite)]
async fn stuck_clients_do_not_delay_shutdown_r18() {
    let (number, mut longest, mut finished) = (rounds(1, 10), Duration::ZERO, 0);
    for _ in 0..number {
        let deployment = Deployment::new().await;
        let mut command = deployment.command();
        command.env("VESTIBULE_SERVER__SHUTDOWN_DELAY", format!("{}s", DELAY.as_secs()));
        command.env("VESTIBULE_SERVER__SHUTDOWN_TIMEOUT", format!("{}s", TIMEOUT.as_secs()));
        let server = Server::start(command);
        let address = server.client().address;
        let body = json!({ "username": "john", "password": "my_password" });
        assert_eq!(server.call("POST", "/register").json(&body).send().await.status, 201);
        let mut stuck = Vec::new();
        for bytes in STUCK.repeat(EACH) {
            let mut stream = connect(address).await;
            stream.write_all(bytes.as_bytes()).await.unwrap();
            stuck.push(stream);
        }
        let mut slow = JoinSet::new();
        for _ in 0..EACH {
            slow.spawn(write_slowly(address));
            slow.spawn(write_slowly_over_http_2(address));
            slow.spawn(read_slowly(address));
        }
        // By now every client has started.
        sleep(SLOW_DURATION / PIECES * 2).await;
        let begun = Instant::now();
        let ended = spawn_blocking(move || {
            server.stop();
            begun.elapsed()
        });
        let statuses = slow.join_all().await;
        assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
        finished += statuses.len();
        let ended = ended.await.unwrap();
        assert!(ended + Duration::from_millis(500) > DELAY + TIMEOUT, "no client was stuck: {ended:?}");
        assert!(deployment.logs().contains("they took longer than server.shutdown_timeout"));
        longest = longest.max(ended);
    }
    ResultRow {
        id: "R18",
        scenario: "shutdown with stuck clients",
        rounds: number,
        notes: format!(
            "{} stuck clients: exited {:.2} s after SIGTERM, with a delay of {} s and a timeout of {} s; {finished} slow \
             requests finished meanwhile, 0 aborted",
            STUCK.len() * EACH,
            longest.as_secs_f64(),
            DELAY.as_secs(),
            TIMEOUT.as_secs(),
        ),
        ..ResultRow::default()
    }
    .write();
    assert!(longest < DELAY + TIMEOUT + SLACK, "{longest:?}");
}
