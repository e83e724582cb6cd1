//! The accept loop: connections within bounds, from bind to graceful stop.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
};
use poem::{
    Addr, Request, Response,
    endpoint::DynEndpoint,
    http::{HeaderValue, Version, header, uri::Scheme},
    web::{LocalAddr, RemoteAddr},
};
use rustix::net::sockopt::set_socket_send_buffer_size;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    MAX_HEAD_BYTES,
    framing::Framing,
    seldom::Seldom,
    tls::Tls,
    watch::{self, Deadlines, Watch, Watched},
};

/// The most headers: above the edge's own limit, so that what that refuses is answered with a problem.
const MAX_HEADERS: usize = 256;
/// The most requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 100;
/// The most requests that a client may take back before they are served (rapid reset, CVE-2023-44487), and the most
/// that are refused as malformed, before the connection ends. Both are what h2 recommends.
const MAX_RESET_STREAMS: usize = 20;
const MAX_REFUSED_STREAMS: usize = 1024;
/// Bytes that a client may send before they are read: bodies here are small.
const WINDOW: u32 = 64 * 1024;
/// The most bytes of an answer that wait in memory for one stream.
const SEND_BUFFER: usize = 64 * 1024;
/// Bytes of answers that the system keeps for a connection whose client does not read (Linux keeps twice that). Left to
/// itself it goes up to megabytes, and every connection may ask for them.
const SOCKET_BUFFER: usize = 128 * 1024;
/// Connections that wait in the system to be accepted; it keeps fewer where it is set to. Those that come at once after
/// an instance was replaced would be turned away by the usual 128.
const BACKLOG: u32 = 1024;
/// An HTTP/2 connection that is silent for so long is asked whether it is still there, and answers within the second.
const PING_AFTER: Duration = Duration::from_secs(20);
const PONG_WITHIN: Duration = Duration::from_secs(10);
/// How long the loop waits after a failed accept, which mostly means that no file descriptor is free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How connections are treated.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The most connections at once; more wait until one of them ends.
    pub max_connections: usize,
    /// How long requests in flight may take when the server stops.
    pub shutdown_timeout: Duration,
    /// How long clients may take.
    pub deadlines: Deadlines,
    /// What the service proves itself with; without it, it speaks in the clear.
    pub tls: Option<Arc<Tls>>,
}

/// Listens on every address. With `lenient`, all but the first may be missing on this host.
///
/// # Errors
/// The address, and why it cannot be listened on.
pub async fn bind(addresses: &[SocketAddr], lenient: bool) -> Result<Vec<TcpListener>, (SocketAddr, io::Error)> {
    let mut listeners = Vec::new();
    for &address in addresses {
        match listen(address) {
            Ok(listener) => {
                // Connections inherit it.
                set_socket_send_buffer_size(&listener, SOCKET_BUFFER).map_err(|error| (address, error.into()))?;
                listeners.push(listener);
            }
            Err(error) if lenient && !listeners.is_empty() && is_missing(&error) => {}
            Err(error) => return Err((address, error)),
        }
    }
    Ok(listeners)
}

/// Listens on `address`, where [`BACKLOG`] may wait.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // What a service left in TIME_WAIT is not in its successor's way.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Whether an address cannot be had because the host does not have it, rather than because somebody else does.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

/// How a server is asked to stop.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Cancelled first: from now on each answer over HTTP/1 ends its connection, so that clients go elsewhere.
    pub leaving: CancellationToken,
    /// Cancelled then: no connection is accepted any more.
    pub stop: CancellationToken,
}

/// Serves until it is asked to stop, then lets requests in flight finish.
pub async fn serve(
    listeners: Vec<TcpListener>,
    endpoint: Arc<dyn DynEndpoint<Output = Response>>,
    settings: ServerSettings,
    shutdown: Shutdown,
) {
    let stop = shutdown.stop;
    let places = Arc::new(Semaphore::new(settings.max_connections));
    let graceful = Arc::new(GracefulShutdown::new());
    let mut loops = JoinSet::new();
    for listener in listeners {
        let (places, graceful) = (Arc::clone(&places), Arc::clone(&graceful));
        let (endpoint, tls) = (Arc::clone(&endpoint), settings.tls.clone());
        let leaving = shutdown.leaving.clone();
        let connections = Connections { endpoint, tls, deadlines: settings.deadlines, leaving };
        let stop = stop.clone();
        loops.spawn(async move {
            tokio::select! {
                () = accept(&listener, &connections, &places, &graceful) => {}
                () = stop.cancelled() => {}
            }
        });
    }
    if let Some(tls) = settings.tls {
        let stop = stop.clone();
        loops.spawn(async move {
            tokio::select! {
                () = tls.keep_current() => {}
                () = stop.cancelled() => {}
            }
        });
    }
    while loops.join_next().await.is_some() {}
    if let Some(graceful) = Arc::into_inner(graceful) {
        let drained = tokio::time::timeout(settings.shutdown_timeout, graceful.shutdown()).await;
        if drained.is_err() {
            tracing::warn!("stopped with requests in flight: they took longer than server.shutdown_timeout");
        }
    }
}

async fn accept(
    listener: &TcpListener,
    connections: &Connections,
    places: &Arc<Semaphore>,
    graceful: &GracefulShutdown,
) {
    let failures = Seldom::default();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Not before: a listener that nobody calls must not keep a place from the others.
                let Ok(place) = Arc::clone(places).acquire_owned().await else { return };
                let (connections, watcher) = (connections.clone(), graceful.watcher());
                tokio::spawn(async move {
                    connections.run(stream, peer, watcher).await;
                    drop(place);
                });
            }
            Err(error) => {
                if let Some(times) = failures.count() {
                    tracing::warn!(%error, times, "cannot accept a connection");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// What every connection of a listener is served with.
#[derive(Clone)]
struct Connections {
    endpoint: Arc<dyn DynEndpoint<Output = Response>>,
    tls: Option<Arc<Tls>>,
    deadlines: Deadlines,
    leaving: CancellationToken,
}

impl Connections {
    /// One connection from its beginning to its end.
    async fn run(self, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        let watch = Watch::new(self.deadlines);
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "the connection delays small segments");
        }
        let local = stream.local_addr().map_or_else(|_| Addr::default(), Addr::SocketAddr);
        let addresses = (LocalAddr(local), RemoteAddr(Addr::SocketAddr(peer)));
        let outcome = match self.tls.clone() {
            None => watch.guard(self.speak(stream, addresses, Scheme::HTTP, &watch, watcher)).await,
            // The handshake takes its time from that of the first head.
            Some(tls) => match watch.guard(tls.accept(stream)).await {
                Some(Ok(stream)) => watch.guard(self.speak(stream, addresses, Scheme::HTTPS, &watch, watcher)).await,
                Some(Err(error)) => Some(Err(error.into())),
                None => None,
            },
        };
        match outcome {
            Some(Ok(())) => {}
            Some(Err(error)) => tracing::debug!(error, "the connection broke"),
            None => tracing::debug!("the connection took too long"),
        }
    }

    /// Serves the requests of a stream of bytes.
    fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        self,
        stream: S,
        addresses: (LocalAddr, RemoteAddr),
        scheme: Scheme,
        watch: &Watch,
        watcher: Watcher,
    ) -> impl Future<Output = Result<(), BoxError>> + use<S> {
        let io = TokioIo::new(Watched::new(stream, watch.clone()));
        let requests = watch.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let (noted, framing) = requests.request();
            let (connections, scheme) = (self.clone(), scheme.clone());
            let (local, remote) = addresses.clone();
            async move { connections.answer(request, (local, remote, scheme), noted, framing).await }
        });
        watcher.watch(builder().serve_connection(io, service).into_owned())
    }

    /// Answers one request, and notes when the answer has been taken.
    async fn answer(
        &self,
        mut request: hyper::Request<Incoming>,
        (local, remote, scheme): (LocalAddr, RemoteAddr, Scheme),
        noted: watch::Request,
        framing: Framing,
    ) -> Result<hyper::Response<watch::Answer>, Infallible> {
        let one_by_one = request.version() < Version::HTTP_2;
        if one_by_one {
            request.extensions_mut().insert(framing);
        }
        let request = Request::from((request, local, remote, scheme));
        // The edge turns every error into an answer; what is left here cannot fail.
        let answer = self.endpoint.call(request).await.unwrap_or_else(poem::Error::into_response);
        let mut answer = hyper::Response::from(answer);
        if one_by_one && (framing != Framing::Plain || self.leaving.is_cancelled()) {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(answer.map(|body| noted.answer(body)))
    }
}

/// Both protocols. Heads and idle connections are timed by [`Watch`], so hyper does not.
fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().header_read_timeout(None).max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD_BYTES.into());
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PONG_WITHIN)
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_RESET_STREAMS)
        .max_local_error_reset_streams(MAX_REFUSED_STREAMS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(MAX_HEAD_BYTES.into());
    builder
}
