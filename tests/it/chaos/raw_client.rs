//! A cheap client for load tests. It checks only the status, the media type and that the response is complete, because
//! checking responses against the document takes longer than the service does.

use std::{io, net::SocketAddr};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// One connection.
pub(super) struct RawClient(TcpStream);

/// A response.
#[derive(Debug)]
pub(super) struct RawResponse {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl RawResponse {
    /// Parses a response. Returns `None` if it is incomplete.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let head = head.to_ascii_lowercase();
        let response = Self { status: head.split(' ').nth(1)?.parse().ok()?, head, body: body.to_owned() };
        let length = response.header("content-length").map_or(0, |length| length.parse().unwrap());
        (response.body.len() >= length).then_some(response)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// Returns whether the media type and headers are those that the service sends with this status.
    pub(super) fn is_well_formed(&self) -> bool {
        let expected = match self.status {
            204 => None,
            200..300 => Some("application/json"),
            _ => Some("application/problem+json"),
        };
        let kind = self.header("content-type").map(|kind| kind.split(';').next().unwrap_or_default());
        kind == expected && self.header("x-request-id").is_some()
    }
}

impl RawClient {
    pub(super) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// Sends a complete request and reads the whole response.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> io::Result<RawResponse> {
        self.send(request).await?;
        self.receive().await
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await
    }

    pub(super) async fn receive(&mut self) -> io::Result<RawResponse> {
        let mut bytes = Vec::with_capacity(4096);
        loop {
            if self.0.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(response) = RawResponse::parse(&bytes) {
                return Ok(response);
            }
        }
    }
}

/// Builds a GET request. An empty token sends no credentials.
pub(super) fn get(path: &str, token: &str) -> Vec<u8> {
    let bearer = if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
    format!("GET {path} HTTP/1.1\r\nhost: vestibule\r\n{bearer}\r\n").into_bytes()
}

/// Builds a POST request. With `last`, the service closes the connection after its response.
pub(super) fn post(path: &str, body: &Value, last: bool) -> Vec<u8> {
    let (body, close) = (body.to_string(), if last { "connection: close\r\n" } else { "" });
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: vestibule\r\n{close}content-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
