//! `vestibule serve`

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use vestibule::{
    api::document::document,
    clock::Clock,
    config::Config,
    domain::instance::Instance,
    jobs,
    server::{self, ServerSettings, Shutdown},
    startup::{self, StartError, http},
};

use super::{failure::Failure, terminal::print_text};

/// The most connections to the metrics listener.
const MAX_METRICS_CONNECTIONS: usize = 16;

pub(super) async fn run(config: &Config) -> Result<(), Failure> {
    let document = document()?;
    let tls = http::load_tls(config).map_err(StartError::Tls)?;
    let allow_missing = config.server.listens_by_default();
    let listeners = server::bind(&config.server.listen, allow_missing).map_err(|error| {
        let reason = format!(
            "{error}; server.listen (VESTIBULE_SERVER__LISTEN) names other addresses, and \
             server.public_url (VESTIBULE_SERVER__PUBLIC_URL) the URL that goes with them"
        );
        Failure::new(Failure::FAILED, reason)
    })?;
    let bound = listeners.iter().map(TcpListener::local_addr).collect::<Result<Vec<_>, _>>()?;
    let metrics_listener = bind_metrics(config)?;
    let instance = Arc::new(Instance::default());
    let shutdown = Shutdown { draining: instance.draining().clone(), ..Shutdown::default() };
    stop_on_signal(shutdown.clone(), config.server.shutdown_delay.get())?;
    let routes = http::routes(Arc::clone(&instance), document, config.docs.enabled);
    let endpoint = http::endpoint(routes, document, http::middleware_settings(&config.server), instance.metrics());
    let settings = http::server_settings(config, tls);
    let metrics = Metrics::serve(metrics_listener, &instance, config);
    let serving = tokio::spawn(server::serve(listeners, endpoint, settings, shutdown.clone()));
    let clock = Clock::system();
    let opened = tokio::select! {
        opened = startup::open_with_retry(config, &clock, instance.metrics()) => Some(Arc::new(opened?)),
        () = shutdown.stop.cancelled() => None,
    };
    if let Some(app) = opened {
        instance.set_app(Arc::clone(&app));
        print_text(&welcome(config, &bound, metrics.address))?;
        jobs::run(app, shutdown.stop).await;
    }
    serving.await.map_err(|error| Failure::new(Failure::FAILED, error))?;
    metrics.stop.cancel();
    print_text("Vestibule has stopped.\n")
}

/// Binds the metrics listener, if one is configured.
fn bind_metrics(config: &Config) -> Result<Option<TcpListener>, Failure> {
    let Some(address) = config.metrics.listen else { return Ok(None) };
    let bound = server::bind(&[address], false).map_err(|error| {
        let reason = format!("{error}; metrics.listen (VESTIBULE_METRICS__LISTEN) names another address");
        Failure::new(Failure::FAILED, reason)
    })?;
    Ok(bound.into_iter().next())
}

/// The metrics listener, which stops after all others.
struct Metrics {
    address: Option<SocketAddr>,
    stop: CancellationToken,
}

impl Metrics {
    fn serve(listener: Option<TcpListener>, instance: &Arc<Instance>, config: &Config) -> Self {
        let (address, shutdown) = (listener.as_ref().and_then(|one| one.local_addr().ok()), Shutdown::default());
        let stop = shutdown.stop.clone();
        if let Some(listener) = listener {
            let settings =
                ServerSettings { max_connections: MAX_METRICS_CONNECTIONS, ..http::server_settings(config, None) };
            let endpoint = http::metrics_endpoint(Arc::clone(instance));
            tokio::spawn(server::serve(vec![listener], endpoint, settings, shutdown));
        }
        Self { address, stop }
    }
}

/// Stops the server on signals. After SIGTERM it drains for `delay` first: it still serves, but is not ready. On a second
/// signal, or on SIGINT (Ctrl-C), it stops at once.
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

/// What a person wants to know first.
fn welcome(config: &Config, bound: &[SocketAddr], metrics: Option<SocketAddr>) -> String {
    let issuer = config.server.issuer();
    let url = config.server.local_url(bound).unwrap_or_else(|| issuer.to_owned());
    let docs = if config.docs.enabled { format!("{url}/docs") } else { "off (docs.enabled)".to_owned() };
    let first = if config.registration.open {
        "POST /register, or: vestibule user add NAME"
    } else {
        "vestibule user add NAME (registration is closed)"
    };
    let addresses = bound.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let scraped = metrics.map_or_else(String::new, |address| format!("  metrics     http://{address}/metrics\n"));
    let mut text = format!(
        "Vestibule {}\n  URL         {url}\n  listens on  {addresses}\n  docs        {docs}\n{scraped}  database    {}\n  first user  {first}\n",
        env!("CARGO_PKG_VERSION"),
        config.database.describe(),
    );
    if url != issuer {
        let lines = ["  tokens say  ", issuer, "; VESTIBULE_SERVER__PUBLIC_URL sets the URL that clients use\n"];
        text.extend(lines);
    }
    text.push_str(&open_doors(config, metrics));
    text
}

/// What anybody who reaches a listener beyond this host can do, and how to stop it.
fn open_doors(config: &Config, metrics: Option<SocketAddr>) -> String {
    let public = !config.server.is_loopback();
    let doors = [
        (public && config.registration.open, "anybody may register; VESTIBULE_REGISTRATION__OPEN=false closes it"),
        (public && config.docs.enabled, "the documentation is public; VESTIBULE_DOCS__ENABLED=false turns it off"),
        (
            metrics.is_some_and(|address| !address.ip().is_loopback()),
            "the metrics are public; VESTIBULE_METRICS__LISTEN names an address that only those reach who scrape them",
        ),
    ];
    let lines = doors.iter().filter(|(open, _)| *open).map(|(_, text)| ["  open        ", text, "\n"].concat());
    lines.collect()
}
