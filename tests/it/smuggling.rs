//! Request smuggling (S79): requests that two servers might split differently. Each is rejected, its connection is
//! closed, and the bytes after it are not handled. The tests write raw bytes, because no client library sends such
//! requests.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::support::TestApp;

/// The request that an attacker tries to smuggle.
const SMUGGLED: &str = "GET /.well-known/jwks.json HTTP/1.1\r\nHost: vestibule\r\n\r\n";
/// A part of its response.
const CAUGHT: &str = "\"keys\"";

/// Writes the pieces with pauses between them. Returns everything that the service sends until it closes the
/// connection.
async fn exchange(app: &TestApp, pieces: &[&[u8]]) -> String {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    for (number, piece) in pieces.iter().enumerate() {
        if number > 0 {
            sleep(Duration::from_millis(5)).await;
        }
        // The service may have closed the connection already.
        if stream.write_all(piece).await.is_err() {
            break;
        }
    }
    let mut response = Vec::new();
    let closed = timeout(Duration::from_secs(5), async {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            response.extend_from_slice(&buffer[..length]);
        }
    });
    let text = pieces.iter().map(|piece| String::from_utf8_lossy(piece)).collect::<String>();
    assert!(closed.await.is_ok(), "not closed after {text:?}: {:?}", String::from_utf8_lossy(&response));
    String::from_utf8_lossy(&response).into_owned()
}

/// Returns the number of responses.
fn count_responses(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}

async fn assert_rejected(app: &TestApp, form: &str, request: &[u8]) {
    let response = exchange(app, &[&[request, SMUGGLED.as_bytes()].concat()]).await;
    assert!(count_responses(&response) <= 1 && !response.contains(CAUGHT), "{form}: {response}");
    let is_rejected = ["HTTP/1.1 400 ", "HTTP/1.1 505 "].iter().any(|begin| response.starts_with(begin));
    assert!(is_rejected || response.is_empty(), "{form}: {response}");
    assert!(response.is_empty() || response.contains("connection: close\r\n"), "{form}: {response}");
}

#[apply(trial)]
async fn ambiguous_requests_are_rejected_and_close_the_connection_s79() {
    let app = TestApp::new().await;
    let get = "GET /.well-known/jwks.json HTTP/1.1\r\nHost: vestibule\r\n";
    let post = "POST /token/revoke HTTP/1.1\r\nHost: vestibule\r\nContent-Type: application/json\r\n";
    for (form, begin, rest) in [
        ("length, then coding", post, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("coding, then length", post, "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        ("coding and no length", post, "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n"),
        ("two different lengths", post, "Content-Length: 0\r\nContent-Length: 2\r\n\r\n"),
        ("two equal lengths", post, "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"),
        ("two lengths in one line", post, "Content-Length: 2, 2\r\n\r\n{}"),
        ("negative length", post, "Content-Length: -2\r\n\r\n{}"),
        ("length with a sign", post, "Content-Length: +2\r\n\r\n{}"),
        ("hexadecimal length", post, "Content-Length: 0x2\r\n\r\n{}"),
        ("length with an underscore", post, "Content-Length: 0_2\r\n\r\n{}"),
        ("empty length", post, "Content-Length: \r\n\r\n"),
        ("length beyond 64 bits", post, "Content-Length: 18446744073709551618\r\n\r\n{}"),
        ("folded header", get, "X-Folded: a\r\n b\r\n\r\n"),
        ("folded coding", post, "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
        ("space before the colon", post, "Content-Length : 0\r\n\r\n"),
        ("tab before the colon", post, "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"),
        ("space before the name", get, " X-Odd: a\r\n\r\n"),
        ("bare LF", get, "X-Odd: a\n\r\n"),
        ("bare LF before the coding", post, "X-Odd: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("bare LF at the end", get, "\n"),
        ("bare CR", get, "X-Odd: a\rTransfer-Encoding: chunked\r\n\r\n"),
        ("NUL in a value", get, "X-Odd: a\0b\r\n\r\n"),
        ("NUL in a name", get, "X-O\0dd: a\r\n\r\n"),
        ("coding twice", post, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("coding twice in one line", post, "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
        ("another coding first", post, "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        ("identity first", post, "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("coding with a suffix", post, "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"),
        ("coding with a prefix", post, "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        ("coding with a vertical tab", post, "Transfer-Encoding: \u{b}chunked\r\n\r\n0\r\n\r\n"),
        ("quoted coding", post, "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
        ("no host", "GET /.well-known/jwks.json HTTP/1.1\r\n", "\r\n"),
        ("two hosts", get, "Host: other\r\n\r\n"),
        ("two equal hosts", get, "Host: vestibule\r\n\r\n"),
        (
            "another host in the target",
            "GET http://other/.well-known/jwks.json HTTP/1.1\r\nHost: vestibule\r\n",
            "\r\n",
        ),
        ("control character in the path", "GET /.well-known\x01/jwks.json HTTP/1.1\r\nHost: vestibule\r\n", "\r\n"),
        ("NUL in the path", "GET /.well-known\0/jwks.json HTTP/1.1\r\nHost: vestibule\r\n", "\r\n"),
        ("space in the path", "GET /.well-known /jwks.json HTTP/1.1\r\nHost: vestibule\r\n", "\r\n"),
        ("no version", "GET /.well-known/jwks.json\r\n", "\r\n"),
        ("version 1.2", "GET /.well-known/jwks.json HTTP/1.2\r\nHost: vestibule\r\n", "\r\n"),
        ("version 2.0", "GET /.well-known/jwks.json HTTP/2.0\r\nHost: vestibule\r\n", "\r\n"),
        ("version with another letter", "GET /.well-known/jwks.json http/1.1\r\nHost: vestibule\r\n", "\r\n"),
        ("coding in version 1.0", "POST /token/revoke HTTP/1.0\r\n", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ] {
        assert_rejected(&app, form, [begin, rest].concat().as_bytes()).await;
    }
}

#[apply(trial)]
async fn malformed_chunked_bodies_are_rejected_and_close_the_connection_s79() {
    let app = TestApp::new().await;
    let post = "POST /token/revoke HTTP/1.1\r\nHost: vestibule\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (form, body) in [
        ("chunk beyond 64 bits", "10000000000000002\r\n{}\r\n0\r\n\r\n"),
        ("chunk with a sign", "+2\r\n{}\r\n0\r\n\r\n"),
        ("chunk with a prefix", "0x2\r\n{}\r\n0\r\n\r\n"),
        ("chunk without a size", "\r\n{}\r\n0\r\n\r\n"),
        ("chunk longer than it says", "2\r\n{}xx\r\n0\r\n\r\n"),
        ("bare LF after a size", "2\n{}\r\n0\r\n\r\n"),
        ("bare LF after a chunk", "2\r\n{}\n0\r\n\r\n"),
        ("bare LF in an extension", "2;a\nb\r\n{}\r\n0\r\n\r\n"),
    ] {
        assert_rejected(&app, form, [post, body].concat().as_bytes()).await;
    }
}

/// The last request of a connection that continues. It closes the connection.
const LAST: &str = "GET /nothing HTTP/1.1\r\nHost: vestibule\r\nConnection: close\r\n\r\n";

#[apply(trial)]
async fn pipelined_requests_are_served() {
    let app = TestApp::new().await;
    let body = r#"{"refresh_token":"vst_r_unknown"}"#;
    let post = format!(
        "POST /token/revoke HTTP/1.1\r\nhOsT: vestibule\r\nContent-Type: application/json\r\nContent-Length: \t{} \r\n\r\n{body}",
        body.len()
    );
    let whole = ["\r\n", SMUGGLED, &post, SMUGGLED, LAST].concat();
    let response = exchange(&app, &[whole.as_bytes()]).await;
    let statuses = response.lines().filter_map(|line| line.split("HTTP/1.1 ").nth(1)).map(|line| &line[..3]);
    assert_eq!(statuses.collect::<Vec<_>>(), ["200", "204", "200", "404"], "{response}");
}

#[apply(trial)]
async fn requests_split_across_packets_are_served() {
    let app = TestApp::new().await;
    let whole = [SMUGGLED, LAST].concat();
    for size in [1, 2, 7, 30] {
        let pieces = whole.as_bytes().chunks(size).collect::<Vec<_>>();
        let response = exchange(&app, &pieces).await;
        assert_eq!((count_responses(&response), response.contains(CAUGHT)), (2, true), "{size}: {response}");
    }
}

#[apply(trial)]
async fn chunked_request_is_the_last_on_its_connection_s79() {
    let app = TestApp::new().await;
    for coding in ["chunked", "Chunked", "CHUNKED"] {
        let head = "POST /token/revoke HTTP/1.1\r\nHost: vestibule\r\nContent-Type: application/json\r\n";
        let body = "21\r\n{\"refresh_token\":\"vst_r_unknown\"}\r\n0\r\n\r\n";
        let request = format!("{head}Transfer-Encoding: {coding}\r\n\r\n{body}{SMUGGLED}");
        let response = exchange(&app, &[request.as_bytes()]).await;
        assert!(response.starts_with("HTTP/1.1 204 ") && count_responses(&response) == 1, "{response}");
    }
}

#[apply(trial)]
async fn partial_request_head_after_a_body_is_rejected_s79() {
    let app = TestApp::new().await;
    let post = "POST /token/revoke HTTP/1.1\r\nHost: vestibule\r\nContent-Length: 2\r\n\r\n{}";
    let bad = "GET /.well-known/jwks.json HTTP/1.1\r\nHost: vestibule\nX-Odd: a\r\n\r\n";
    let cut = bad.len() / 2;
    let pieces = [[post, &bad[..cut]].concat(), bad[cut..].to_owned(), SMUGGLED.to_owned()];
    let pieces = pieces.iter().map(String::as_bytes).collect::<Vec<_>>();
    let response = exchange(&app, &pieces).await;
    assert!(response.contains("bad_framing") && !response.contains(CAUGHT), "{response}");
}
