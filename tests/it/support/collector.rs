//! A trace collector that receives OTLP over HTTP.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread,
};

use opentelemetry_proto::tonic::{collector::trace::v1::ExportTraceServiceRequest, trace::v1::ResourceSpans};
use prost::Message as _;

/// Starts a collector and returns its URL. It passes each export to `each` before it acknowledges it, and runs until
/// the tests end.
pub(crate) fn start(each: impl Fn(&[ResourceSpans]) + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let each = each.clone();
            thread::spawn(move || while receive(&stream, &each).is_some() {});
        }
    });
    url
}

/// Receives one request. Returns `None` if the client has disconnected.
fn receive(mut stream: &TcpStream, each: &impl Fn(&[ResourceSpans])) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("post /v1/traces "), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body).ok()?;
    each(&ExportTraceServiceRequest::decode(&*body).unwrap().resource_spans);
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()
}
