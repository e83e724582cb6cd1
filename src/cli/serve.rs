//! `vestibule serve`

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use vestibule::{
    clock::Clock,
    config::Config,
    domain::service::Service,
    jobs,
    server::{self, ServerSettings, Shutdown},
    startup,
};

use super::{Failure, say};

/// The most connections of those who scrape metrics.
const SCRAPERS: usize = 16;

pub(super) async fn run(config: &Config) -> Result<(), Failure> {
    let tls = startup::tls(config)?;
    let lenient = config.server.listens_by_default();
    let listeners = server::bind(&config.server.listen, lenient).await.map_err(|(address, error)| {
        let reason = format!(
            "cannot listen on {address}: {error}; server.listen (VESTIBULE_SERVER__LISTEN) names other addresses, and \
             server.public_url (VESTIBULE_SERVER__PUBLIC_URL) the URL that goes with them"
        );
        Failure::new(Failure::FAILED, reason)
    })?;
    let bound = listeners.iter().map(TcpListener::local_addr).collect::<Result<Vec<_>, _>>()?;
    let scraped = bind_metrics(config).await?;
    let service = Arc::new(Service::default());
    let shutdown = Shutdown { leaving: service.leaving().clone(), ..Shutdown::default() };
    stop_on_signal(shutdown.clone(), config.server.shutdown_delay.get())?;
    let routes = server::routes(Arc::clone(&service), config.docs.enabled);
    let endpoint = server::endpoint(routes, startup::edge(&config.server), service.metrics());
    let connections = startup::connections(config, tls);
    let metrics = Metrics::serve(scraped, &service, config);
    let serving = tokio::spawn(server::serve(listeners, endpoint, connections, shutdown.clone()));
    let clock = Clock::system();
    let opened = tokio::select! {
        opened = startup::open_patiently(config, &clock, service.metrics()) => Some(Arc::new(opened?)),
        () = shutdown.stop.cancelled() => None,
    };
    if let Some(app) = opened {
        service.serve(Arc::clone(&app));
        say(&welcome(config, &bound, metrics.address))?;
        jobs::run(app, shutdown.stop).await;
    }
    serving.await.map_err(|error| Failure::new(Failure::FAILED, error))?;
    metrics.stop.cancel();
    say("Vestibule has stopped.\n")
}

/// Where metrics are answered, if that is configured.
async fn bind_metrics(config: &Config) -> Result<Option<TcpListener>, Failure> {
    let Some(address) = config.metrics.listen else { return Ok(None) };
    let bound = server::bind(&[address], false).await.map_err(|(address, error)| {
        let reason = format!(
            "cannot listen on {address}: {error}; metrics.listen (VESTIBULE_METRICS__LISTEN) names another address"
        );
        Failure::new(Failure::FAILED, reason)
    })?;
    Ok(bound.into_iter().next())
}

/// The listener for metrics, which goes on until all others have stopped.
struct Metrics {
    address: Option<SocketAddr>,
    stop: CancellationToken,
}

impl Metrics {
    fn serve(listener: Option<TcpListener>, service: &Arc<Service>, config: &Config) -> Self {
        let (address, shutdown) = (listener.as_ref().and_then(|one| one.local_addr().ok()), Shutdown::default());
        let stop = shutdown.stop.clone();
        if let Some(listener) = listener {
            let settings = ServerSettings { max_connections: SCRAPERS, ..startup::connections(config, None) };
            tokio::spawn(server::serve(vec![listener], server::metrics(Arc::clone(service)), settings, shutdown));
        }
        Self { address, stop }
    }
}

/// At SIGTERM the server says for `delay` that it is leaving, and stops then. At a second signal, or when a person
/// interrupts it, it stops at once.
fn stop_on_signal(shutdown: Shutdown, delay: Duration) -> Result<(), Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        let patient = tokio::select! {
            _ = interrupt.recv() => false,
            _ = terminate.recv() => true,
        };
        shutdown.leaving.cancel();
        if patient {
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
        config.database.shown(),
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
