//! The listeners: binding addresses, accepting connections up to a limit, and the graceful shutdown.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hyper_util::server::graceful::GracefulShutdown;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_send_buffer_size};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::Semaphore,
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use super::{
    connection::{ConnectionHandler, SharedEndpoint},
    deadlines::DeadlineSettings,
    log_throttle::LogThrottle,
    tls::Tls,
};

/// The length of the accept queue: connections that the system has established and the server has not accepted. The
/// system may shorten it. The usual 128 are too few if all clients of a replaced instance reconnect at once.
const BACKLOG: u32 = 1024;
/// The size of the system's send buffer of one connection, in bytes (Linux doubles the value). Without a limit, the
/// buffer grows to megabytes for each client that does not read.
const SOCKET_SEND_BUFFER: usize = 128 * 1024;
/// The pause after a failed accept. Accepting mostly fails because no file descriptor is free.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// The settings of [`serve`].
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The maximum number of concurrent connections. Further clients wait until a connection closes.
    pub max_connections: usize,
    /// How long requests in progress may take after the server stops accepting connections.
    pub shutdown_timeout: Duration,
    /// The deadlines of each connection.
    pub deadlines: DeadlineSettings,
    /// The certificate. Without one, the server speaks plain HTTP.
    pub tls: Option<Arc<Tls>>,
}

/// The two steps in which a server stops.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Cancelled first: each HTTP/1 response then closes its connection, so that clients move to another instance.
    pub draining: CancellationToken,
    /// Cancelled second: the server then accepts no more connections, completes its requests and returns.
    pub stop: CancellationToken,
}

/// The server cannot listen on an address.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// The reason.
    pub source: io::Error,
}

/// Listens on every address. If `allow_missing` is set, the host may lack any address except the first.
///
/// A listener on an IPv6 address leaves IPv4 to the others if an IPv4 address with the same port is in the list.
/// Otherwise `[::]` also accepts IPv4, as systems do by default.
///
/// # Errors
/// Returns a [`BindError`] for the first address that is unavailable.
pub fn bind(addresses: &[SocketAddr], allow_missing: bool) -> Result<Vec<TcpListener>, BindError> {
    let mut listeners = Vec::new();
    for &address in addresses {
        let leaves_ipv4 = addresses.iter().any(|other| other.is_ipv4() && other.port() == address.port());
        match listen(address, leaves_ipv4) {
            Ok(listener) => listeners.push(listener),
            Err(error) if allow_missing && !listeners.is_empty() && is_missing(&error) => {}
            Err(source) => return Err(BindError { address, source }),
        }
    }
    Ok(listeners)
}

fn listen(address: SocketAddr, leaves_ipv4: bool) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Lets a new process listen while connections of the previous process are still in TIME_WAIT.
    socket.set_reuseaddr(true)?;
    // An IPv4-mapped address is an IPv4 address, so such a socket cannot leave IPv4 to others.
    if leaves_ipv4 && matches!(address.ip(), IpAddr::V6(ip) if ip.to_ipv4_mapped().is_none()) {
        set_ipv6_v6only(&socket, true)?;
    }
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;

    // Accepted connections inherit the buffer size.
    set_socket_send_buffer_size(&listener, SOCKET_SEND_BUFFER)?;
    Ok(listener)
}

/// Returns whether the host lacks an address, as opposed to another process using it.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

/// Serves until `shutdown.stop` is cancelled, then waits for the requests in progress.
///
/// # Errors
/// Returns the [`JoinError`] of a task that failed. The server then stops as well.
pub async fn serve(
    listeners: Vec<TcpListener>,
    endpoint: SharedEndpoint,
    settings: ServerSettings,
    shutdown: Shutdown,
) -> Result<(), JoinError> {
    let stop = shutdown.stop.clone();
    let graceful = Arc::new(GracefulShutdown::new());
    let slots = Arc::new(Semaphore::new(settings.max_connections));
    let handler = ConnectionHandler {
        endpoint,
        tls: settings.tls.clone(),
        deadlines: settings.deadlines,
        draining: shutdown.draining,
    };

    let mut tasks = JoinSet::new();
    for listener in listeners {
        let handler = handler.clone();
        let accept_loop = AcceptLoop { listener, handler, slots: Arc::clone(&slots), graceful: Arc::clone(&graceful) };
        tasks.spawn(shutdown.stop.clone().run_until_cancelled_owned(accept_loop.run()));
    }
    if let Some(tls) = settings.tls {
        tasks.spawn(shutdown.stop.run_until_cancelled_owned(tls.reload_periodically()));
    }
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a task of the server failed unexpectedly; stopping the server");
            stop.cancel();
            outcome = Err(error);
        }
    }

    // The accept loops have ended, so no other owner is left.
    if let Some(graceful) = Arc::into_inner(graceful) {
        finish_requests(graceful, settings.shutdown_timeout).await;
    }
    outcome
}

/// Waits for the requests in progress, up to a timeout. Connections that are still open after it are dropped with the
/// runtime.
async fn finish_requests(graceful: GracefulShutdown, timeout: Duration) {
    if tokio::time::timeout(timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!(
            "stopped before all requests were completed: they took longer than server.shutdown_timeout; raise it if \
             requests need more time"
        );
    }
}

/// Accepts the connections of one listener.
struct AcceptLoop {
    listener: TcpListener,
    handler: ConnectionHandler,
    /// One permit for each connection that may be open. All listeners share the permits.
    slots: Arc<Semaphore>,
    graceful: Arc<GracefulShutdown>,
}

impl AcceptLoop {
    async fn run(self) {
        let failures = LogThrottle::default();
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    // Acquired only after the accept, so that an idle listener does not hold a slot.
                    let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else { return };
                    let (handler, watcher) = (self.handler.clone(), self.graceful.watcher());
                    tokio::spawn(async move {
                        handler.run(stream, peer, watcher).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    if let Some(failures) = failures.count() {
                        tracing::warn!(
                            %error,
                            failures,
                            "cannot accept a connection; retrying. If no file descriptor is free, raise the limit of \
                             open files (ulimit -n)"
                        );
                    }
                    tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                }
            }
        }
    }
}
