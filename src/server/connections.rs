//! The accept loop: connections within bounds, from bind to graceful stop.

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use poem::{
    Addr, Request, Response,
    endpoint::DynEndpoint,
    http::uri::Scheme,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// How long a client may take to send the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Above the edge's own limits, so that what those refuse is answered with a problem.
const MAX_HEADERS: usize = 256;
const MAX_HEAD_BYTES: u16 = u16::MAX;
/// The most requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 100;
/// How long the loop waits after a failed accept, which mostly means that no file descriptor is free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How connections are treated.
#[derive(Clone, Copy, Debug)]
pub struct ServerSettings {
    /// The most connections at once; more wait to be accepted.
    pub max_connections: usize,
    /// How long requests in flight may take when the server stops.
    pub shutdown_timeout: Duration,
}

/// Listens on every address. With `lenient`, all but the first may be missing on this host.
///
/// # Errors
/// The address, and why it cannot be listened on.
pub async fn bind(addresses: &[SocketAddr], lenient: bool) -> Result<Vec<TcpListener>, (SocketAddr, io::Error)> {
    let mut listeners = Vec::new();
    for &address in addresses {
        match TcpListener::bind(address).await {
            Ok(listener) => listeners.push(listener),
            Err(error) if lenient && !listeners.is_empty() && is_missing(&error) => {}
            Err(error) => return Err((address, error)),
        }
    }
    Ok(listeners)
}

/// Whether an address cannot be had because the host does not have it, rather than because somebody else does.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

/// Serves until `stop` is cancelled, then lets requests in flight finish.
pub async fn serve(
    listeners: Vec<TcpListener>,
    endpoint: Arc<dyn DynEndpoint<Output = Response>>,
    settings: ServerSettings,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(settings.max_connections));
    let graceful = Arc::new(GracefulShutdown::new());
    let mut loops = JoinSet::new();
    for listener in listeners {
        let (endpoint, places, graceful) = (Arc::clone(&endpoint), Arc::clone(&places), Arc::clone(&graceful));
        let stop = stop.clone();
        loops.spawn(async move {
            tokio::select! {
                () = accept(&listener, &endpoint, &places, &graceful) => {}
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
    endpoint: &Arc<dyn DynEndpoint<Output = Response>>,
    places: &Arc<Semaphore>,
    graceful: &GracefulShutdown,
) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let Ok(place) = Arc::clone(places).acquire_owned().await else { return };
                let connection = graceful_connection(stream, peer, Arc::clone(endpoint), graceful);
                tokio::spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One connection, as a future that ends with it.
fn graceful_connection(
    stream: TcpStream,
    peer: SocketAddr,
    endpoint: Arc<dyn DynEndpoint<Output = Response>>,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + use<> {
    let local = stream.local_addr().map_or_else(|_| Addr::default(), Addr::SocketAddr);
    let nodelay = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let endpoint = Arc::clone(&endpoint);
        let addresses = (LocalAddr(local.clone()), RemoteAddr(Addr::SocketAddr(peer)));
        async move {
            let request = Request::from((request, addresses.0, addresses.1, Scheme::HTTP));
            // The edge turns every error into an answer; what is left here cannot fail.
            let answer = endpoint.call(request).await.unwrap_or_else(poem::Error::into_response);
            Ok::<_, std::convert::Infallible>(hyper::Response::from(answer))
        }
    });
    let connection = builder().serve_connection(TokioIo::new(stream), service).into_owned();
    let connection = graceful.watch(connection);
    async move {
        if let Err(error) = nodelay {
            tracing::debug!(%error, "the connection delays small segments");
        }
        if let Err(error) = connection.await {
            tracing::debug!(error, "the connection broke");
        }
    }
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES.into());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD_BYTES.into());
    builder
}
