//! `vestibule serve`

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use vestibule::{config::Config, server, startup};

use super::{Failure, open, say};

pub(super) async fn run(config: &Config) -> Result<(), Failure> {
    let app = Arc::new(open(config).await?);
    let listeners = server::bind(&config.server.listen).await.map_err(|(address, error)| {
        let reason = format!(
            "cannot listen on {address}: {error}; server.listen (VESTIBULE_SERVER__LISTEN) names other addresses"
        );
        Failure::new(Failure::FAILED, reason)
    })?;
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone())?;
    let bound = listeners.iter().filter_map(|listener| listener.local_addr().ok()).map(|address| address.to_string());
    say(&welcome(config, &bound.collect::<Vec<_>>().join(", ")))?;
    let routes = server::routes(app, config.docs.enabled);
    let endpoint = server::endpoint(routes, startup::edge(&config.server));
    server::serve(listeners, endpoint, startup::connections(&config.server), stop).await;
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
fn welcome(config: &Config, bound: &str) -> String {
    let url = config.server.issuer();
    let docs = if config.docs.enabled { format!("{url}/docs") } else { "off (docs.enabled)".to_owned() };
    let first = if config.registration.open {
        "POST /register, or: vestibule user add NAME"
    } else {
        "vestibule user add NAME (registration is closed)"
    };
    let mut text = format!(
        "Vestibule {}\n  URL         {url}\n  listens on  {bound}\n  docs        {docs}\n  database    {}\n  first user  {first}\n",
        env!("CARGO_PKG_VERSION"),
        config.database.shown(),
    );
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
