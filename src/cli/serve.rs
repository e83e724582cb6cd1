//! `vestibule serve`

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use vestibule::{
    clock::Clock,
    config::Config,
    domain::service::Service,
    jobs,
    server::{self, Shutdown},
    startup,
};

use super::{Failure, say};

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
    let service = Arc::new(Service::default());
    let shutdown = Shutdown { leaving: service.leaving().clone(), ..Shutdown::default() };
    stop_on_signal(shutdown.clone(), Duration::from_secs(config.server.shutdown_delay))?;
    let routes = server::routes(Arc::clone(&service), config.docs.enabled);
    let endpoint = server::endpoint(routes, startup::edge(&config.server));
    let connections = startup::connections(config, tls);
    let serving = tokio::spawn(server::serve(listeners, endpoint, connections, shutdown.clone()));
    let clock = Clock::system();
    let opened = tokio::select! {
        opened = startup::open_patiently(config, &clock) => Some(Arc::new(opened?)),
        () = shutdown.stop.cancelled() => None,
    };
    if let Some(app) = opened {
        service.serve(Arc::clone(&app));
        say(&welcome(config, &bound))?;
        jobs::run(app, shutdown.stop).await;
    }
    serving.await.map_err(|error| Failure::new(Failure::FAILED, error))?;
    say("Vestibule has stopped.\n")
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
fn welcome(config: &Config, bound: &[SocketAddr]) -> String {
    let issuer = config.server.issuer();
    let url = config.server.local_url(bound).unwrap_or_else(|| issuer.to_owned());
    let docs = if config.docs.enabled { format!("{url}/docs") } else { "off (docs.enabled)".to_owned() };
    let first = if config.registration.open {
        "POST /register, or: vestibule user add NAME"
    } else {
        "vestibule user add NAME (registration is closed)"
    };
    let addresses = bound.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut text = format!(
        "Vestibule {}\n  URL         {url}\n  listens on  {addresses}\n  docs        {docs}\n  database    {}\n  first user  {first}\n",
        env!("CARGO_PKG_VERSION"),
        config.database.shown(),
    );
    if url != issuer {
        let lines = ["  tokens say  ", issuer, "; VESTIBULE_SERVER__PUBLIC_URL sets the URL that clients use\n"];
        text.extend(lines);
    }
    if !config.server.is_loopback() {
        text.push_str(&open_doors(config));
    }
    text
}

/// What anybody who reaches a listener beyond this host can do, and how to stop it.
fn open_doors(config: &Config) -> String {
    let doors = [
        (config.registration.open, "anybody may register; VESTIBULE_REGISTRATION__OPEN=false closes it"),
        (config.docs.enabled, "the documentation is public; VESTIBULE_DOCS__ENABLED=false turns it off"),
    ];
    let lines = doors.iter().filter(|(open, _)| *open).map(|(_, text)| ["  open        ", text, "\n"].concat());
    lines.collect()
}
