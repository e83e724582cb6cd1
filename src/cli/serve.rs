//! `vestibule serve`

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use vestibule::{config::Config, jobs, server, startup};

use super::{Failure, open, say};

pub(super) async fn run(config: &Config) -> Result<(), Failure> {
    let tls = startup::tls(config)?;
    let app = Arc::new(open(config).await?);
    let lenient = config.server.listens_by_default();
    let listeners = server::bind(&config.server.listen, lenient).await.map_err(|(address, error)| {
        let reason = format!(
            "cannot listen on {address}: {error}; server.listen (VESTIBULE_SERVER__LISTEN) names other addresses, and \
             server.public_url (VESTIBULE_SERVER__PUBLIC_URL) the URL that goes with them"
        );
        Failure::new(Failure::FAILED, reason)
    })?;
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone())?;
    let bound = listeners.iter().map(TcpListener::local_addr).collect::<Result<Vec<_>, _>>()?;
    say(&welcome(config, &bound))?;
    let jobs = tokio::spawn(jobs::run(Arc::clone(&app), stop.clone()));
    let routes = server::routes(app, config.docs.enabled);
    let endpoint = server::endpoint(routes, startup::edge(&config.server));
    server::serve(listeners, endpoint, startup::connections(config, tls), stop).await;
    jobs.await.map_err(|error| Failure::new(Failure::FAILED, error))?;
    say("Vestibule has stopped.\n")
}

fn stop_on_signal(stop: CancellationToken) -> Result<(), Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.cancel();
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
