//! One connection: the TLS handshake, then HTTP/1 or HTTP/2 until it closes.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::Watcher},
};
use poem::{
    Addr, Request, Response,
    endpoint::DynEndpoint,
    http::{HeaderValue, Version, header, uri::Scheme},
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

use super::{
    deadlines::{ConnectionDeadlines, DeadlineSettings, TimedBody, TimedRequest},
    framing::{Framing, FramingScanner, MAX_HEAD_BYTES},
    observed_stream::ObservedStream,
    tls::Tls,
};

/// The maximum number of headers that hyper parses. The limit of the middleware is lower, so that it can respond with a
/// problem.
const MAX_HEADERS: usize = 256;
/// The maximum number of concurrent requests on one HTTP/2 connection.
const MAX_STREAMS: u32 = 100;
/// How many HTTP/2 requests a client may reset before they are served. After that, the connection closes (rapid reset,
/// CVE-2023-44487). The value is h2's recommendation.
const MAX_RESET_STREAMS: usize = 20;
/// How many malformed HTTP/2 requests a client may send before the connection closes. The value is h2's recommendation.
const MAX_REFUSED_STREAMS: usize = 1024;
/// How many bytes an HTTP/2 client may send before the server reads them. Request bodies are small.
const RECEIVE_WINDOW: u32 = 64 * 1024;
/// How many bytes of a response are buffered for one HTTP/2 stream.
const STREAM_SEND_BUFFER: usize = 64 * 1024;
/// How long an HTTP/2 connection may be silent before the server sends a PING.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// How long the client may take to acknowledge the PING.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// The endpoint that responds to every request of a server.
pub type SharedEndpoint = Arc<dyn DynEndpoint<Output = Response>>;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Serves connections; cloned for each of them.
#[derive(Clone)]
pub(super) struct ConnectionHandler {
    pub(super) endpoint: SharedEndpoint,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) deadlines: DeadlineSettings,
    /// Cancelled when the server begins to drain.
    pub(super) draining: CancellationToken,
}

/// The properties that all requests of a connection share.
#[derive(Clone)]
struct ConnectionInfo {
    local: LocalAddr,
    remote: RemoteAddr,
    scheme: Scheme,
}

impl ConnectionHandler {
    /// Serves one connection until it closes or misses a deadline.
    pub(super) async fn run(self, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        let deadlines = ConnectionDeadlines::start(self.deadlines);

        match deadlines.enforce(self.serve(stream, peer, &deadlines, watcher)).await {
            Some(Ok(())) => {}
            Some(Err(error)) => tracing::debug!(error, "connection failed"),
            None => tracing::debug!("connection closed: the client missed a deadline"),
        }
    }

    async fn serve(
        self,
        stream: TcpStream,
        peer: SocketAddr,
        deadlines: &ConnectionDeadlines,
        watcher: Watcher,
    ) -> Result<(), BoxError> {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let local = LocalAddr(stream.local_addr().map_or_else(|_| Addr::default(), Addr::SocketAddr));
        let remote = RemoteAddr(Addr::SocketAddr(peer));

        match self.tls.clone() {
            None => {
                let info = ConnectionInfo { local, remote, scheme: Scheme::HTTP };
                self.serve_http(stream, info, deadlines, watcher).await
            }
            Some(tls) => {
                // The handshake counts towards the deadline of the first request head.
                let stream = tls.accept(stream).await?;
                let info = ConnectionInfo { local, remote, scheme: Scheme::HTTPS };
                self.serve_http(stream, info, deadlines, watcher).await
            }
        }
    }

    /// Serves the HTTP requests of a byte stream.
    fn serve_http<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        self,
        stream: S,
        info: ConnectionInfo,
        deadlines: &ConnectionDeadlines,
        watcher: Watcher,
    ) -> impl Future<Output = Result<(), BoxError>> + use<S> {
        let framing = FramingScanner::default();
        let io = TokioIo::new(ObservedStream::new(stream, framing.clone(), deadlines.clone()));

        let deadlines = deadlines.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            // hyper calls this in the order in which the requests arrive.
            let timed = TimedRequest::begin(deadlines.clone());
            let framing = framing.next_request();
            let (handler, info) = (self.clone(), info.clone());
            async move { handler.respond(request, info, framing, timed).await }
        });
        watcher.watch(protocols().serve_connection(io, service).into_owned())
    }

    /// Responds to one request.
    async fn respond(
        &self,
        mut request: hyper::Request<Incoming>,
        info: ConnectionInfo,
        framing: Framing,
        timed: TimedRequest,
    ) -> Result<hyper::Response<TimedBody>, Infallible> {
        // HTTP/2 frames its requests itself, and the graceful shutdown closes its connections by GOAWAY.
        let is_http1 = request.version() < Version::HTTP_2;
        if is_http1 {
            request.extensions_mut().insert(framing);
        }

        let request = Request::from((request, info.local, info.remote, info.scheme));
        // The middleware converts every error into a response, so this fallback is never reached.
        let response = self.endpoint.call(request).await.unwrap_or_else(poem::Error::into_response);

        let mut response = hyper::Response::from(response);
        if is_http1 && (framing != Framing::Unambiguous || self.draining.is_cancelled()) {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response.map(|body| timed.track_response(body)))
    }
}

/// Configures both protocols. [`ConnectionDeadlines`] times request heads and idle connections, so hyper does not.
fn protocols() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().header_read_timeout(None).max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD_BYTES.into());
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_RESET_STREAMS)
        .max_local_error_reset_streams(MAX_REFUSED_STREAMS)
        .initial_stream_window_size(RECEIVE_WINDOW)
        .initial_connection_window_size(RECEIVE_WINDOW)
        .max_send_buf_size(STREAM_SEND_BUFFER)
        .max_header_list_size(MAX_HEAD_BYTES.into());
    builder
}
