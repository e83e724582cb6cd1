//! A request, from its head until the client has read the response.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http_body_util::combinators::BoxBody;
use hyper::body::{Body, Buf, Bytes, Frame, SizeHint};

use super::connection_deadlines::ConnectionDeadlines;

/// A request in progress. Dropping it ends the request.
#[derive(Debug)]
pub(in crate::server) struct TimedRequest {
    deadlines: ConnectionDeadlines,
    response: Option<u64>,
}

impl TimedRequest {
    /// Begins a request whose head was just read.
    pub(in crate::server) fn begin(deadlines: ConnectionDeadlines) -> Self {
        deadlines.begin_request();
        Self { deadlines, response: None }
    }

    /// Begins the response. The request ends when the client has read its body.
    pub(in crate::server) fn track_response(mut self, body: BoxBody<Bytes, io::Error>) -> TimedBody {
        self.response = Some(self.deadlines.begin_response());
        TimedBody { body, request: Arc::new(self) }
    }
}

impl Drop for TimedRequest {
    fn drop(&mut self) {
        self.deadlines.end_request(self.response);
    }
}

/// The body of a response.
#[derive(Debug)]
pub(in crate::server) struct TimedBody {
    body: BoxBody<Bytes, io::Error>,
    request: Arc<TimedRequest>,
}

impl Body for TimedBody {
    type Data = TimedChunk;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<TimedChunk>>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let chunk = |bytes| TimedChunk { bytes, _request: Arc::clone(&self.request) };
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A chunk of the body. h2 takes chunks from the body long before the client accepts them, so the request lasts until
/// the last chunk is dropped.
#[derive(Debug)]
pub(in crate::server) struct TimedChunk {
    bytes: Bytes,
    _request: Arc<TimedRequest>,
}

impl Buf for TimedChunk {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}
