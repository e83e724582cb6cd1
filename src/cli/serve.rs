//! `vestibule serve`

use std::{
    io::{self, IsTerminal as _},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use vestibule::{
    api::document::document,
    clock::Clock,
    config::{Config, label},
    domain::instance::Instance,
    jobs,
    server::{self, ServerSettings, Shutdown},
    startup::{self, http},
};

use super::{failure::Failure, start_message::start_message, terminal::print_text};

/// The maximum number of connections to the metrics listener.
const MAX_METRICS_CONNECTIONS: usize = 16;

/// Listens, opens the database in the meantime, and serves until a signal arrives. Until the database is open, requests
/// that need it get the problem `unavailable`.
pub(super) async fn run(config: &Config) -> Result<(), Failure> {
    let document = document()?;
    let tls = startup::check(config)?;
    let listeners = bind_listeners(config)?;
    let bound = listeners.iter().map(TcpListener::local_addr).collect::<Result<Vec<_>, _>>()?;
    let metrics_listener = bind_metrics_listener(config)?;

    let instance = Arc::new(Instance::default());
    let shutdown = Shutdown { draining: instance.draining().clone(), ..Shutdown::default() };
    stop_on_signal(shutdown.clone(), config.server.shutdown_delay())?;

    let routes = http::routes(Arc::clone(&instance), document, config).map_err(|error| Failure::from(&error))?;
    let endpoint = http::endpoint(routes, http::middleware_settings(config), instance.metrics());
    let settings = http::server_settings(config, tls);
    let metrics = MetricsServer::start(metrics_listener, &instance, &settings)?;
    let serving = tokio::spawn(server::serve(listeners, endpoint, settings, shutdown.clone()));

    let clock = Clock::system();
    let app = tokio::select! {
        opened = startup::open_with_retry(config, &clock, instance.metrics()) => Some(Arc::new(opened?)),
        () = shutdown.stop.cancelled() => None,
    };
    if let Some(app) = app {
        instance.set_app(Arc::clone(&app));
        print_text(&start_message(config, &bound, metrics.address, io::stdout().is_terminal()))?;
        jobs::run(app, shutdown.stop).await;
    }

    serving.await.flatten().map_err(|error| Failure::new(Failure::FAILED, error))?;
    metrics.stop.cancel();
    print_text("Vestibule has stopped.\n")
}

fn bind_listeners(config: &Config) -> Result<Vec<TcpListener>, Failure> {
    server::bind(&config.server.listen, config.server.listens_by_default()).map_err(|error| {
        let reason = format!(
            "{error}; set other addresses in {}, and the matching URL in {}",
            label("server.listen"),
            label("server.public_url")
        );
        Failure::new(Failure::FAILED, reason)
    })
}

/// Binds the metrics listener, if one is configured.
fn bind_metrics_listener(config: &Config) -> Result<Option<TcpListener>, Failure> {
    let Some(address) = config.metrics.listen else { return Ok(None) };
    let bound = server::bind(&[address], false).map_err(|error| {
        let reason = format!("{error}; set another address in {}", label("metrics.listen"));
        Failure::new(Failure::FAILED, reason)
    })?;
    Ok(bound.into_iter().next())
}

/// The metrics server, which stops after the main server.
struct MetricsServer {
    address: Option<SocketAddr>,
    stop: CancellationToken,
}

impl MetricsServer {
    fn start(listener: Option<TcpListener>, instance: &Arc<Instance>, main: &ServerSettings) -> io::Result<Self> {
        let shutdown = Shutdown::default();
        let stop = shutdown.stop.clone();
        let Some(listener) = listener else { return Ok(Self { address: None, stop }) };

        let address = Some(listener.local_addr()?);
        let settings = ServerSettings { max_connections: MAX_METRICS_CONNECTIONS, tls: None, ..main.clone() };
        let endpoint = http::metrics_endpoint(Arc::clone(instance));
        tokio::spawn(server::serve(vec![listener], endpoint, settings, shutdown));
        Ok(Self { address, stop })
    }
}

/// Stops the server on signals. After SIGTERM, the server first drains for `delay`: it still serves, but is not ready.
/// On SIGINT (Ctrl-C) or a second signal, it stops at once.
fn stop_on_signal(shutdown: Shutdown, delay: Duration) -> Result<(), Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        let drains = tokio::select! {
            _ = interrupt.recv() => false,
            _ = terminate.recv() => true,
        };
        shutdown.draining.cancel();
        if drains {
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        shutdown.stop.cancel();
    });
    Ok(())
}
