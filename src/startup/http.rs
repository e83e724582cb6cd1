//! What the HTTP server is given: its limits, its deadlines and its certificate.

use std::{sync::Arc, time::Duration};

use rustix::process::{Resource, getrlimit};

use super::error::StartError;
use crate::{
    config::{self, Config, Origin, ProxyNetwork},
    server::{Deadlines, EdgeSettings, ServerSettings, Tls, TlsFiles},
};

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take to read an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Files that the process has open beside connections: listeners, timers, the log, random numbers, and some to spare.
const OWN_FILES: u64 = 64;
/// SQLite keeps the database, its log and its index open for each.
const FILES_PER_DATABASE_CONNECTION: u64 = 3;

/// The limits of the edge.
#[must_use]
pub fn edge(server: &config::Server) -> EdgeSettings {
    EdgeSettings {
        max_body: server.max_body_size.bytes(),
        request_timeout: server.request_timeout.get(),
        body_timeout: server.body_timeout.get(),
        trusted_proxies: server.trusted_proxies.iter().copied().map(ProxyNetwork::get).collect(),
        cors_origins: server.cors_origins.iter().map(Origin::as_str).map(ToOwned::to_owned).collect(),
        https: server.public_url.is_https(),
    }
}

/// The bounds on connections.
#[must_use]
pub fn connections(config: &Config, tls: Option<Arc<Tls>>) -> ServerSettings {
    let server = &config.server;
    ServerSettings {
        max_connections: affordable(server.max_connections.get(), config.database.max_connections.get()),
        shutdown_timeout: server.shutdown_timeout.get(),
        deadlines: Deadlines { head: HEAD_TIMEOUT, idle: server.idle_timeout.get(), answer: ANSWER_TIMEOUT },
        tls,
    }
}

/// The certificate, where there is one.
///
/// # Errors
/// [`StartError::Tls`].
pub fn tls(config: &Config) -> Result<Option<Arc<Tls>>, StartError> {
    let files = config.tls.certificate_file.clone().zip(config.tls.key_file.clone());
    let tls = files.map(|(certificate, key)| Tls::open(TlsFiles { certificate, key })).transpose()?;
    Ok(tls.map(Arc::new))
}

/// The connections for which there are file descriptors, beside those that the process itself needs.
fn affordable(wanted: usize, database_connections: u32) -> usize {
    let Some(limit) = getrlimit(Resource::Nofile).current else { return wanted };
    let own = FILES_PER_DATABASE_CONNECTION.saturating_mul(u64::from(database_connections)).saturating_add(OWN_FILES);
    let most = usize::try_from(limit.saturating_sub(own)).unwrap_or(usize::MAX).max(1);
    if wanted > most {
        tracing::warn!(
            "serving at most {most} connections at once, not {wanted} as server.max_connections \
             (VESTIBULE_SERVER__MAX_CONNECTIONS) says: the process may open {limit} files (ulimit -n) and needs {own} \
             itself"
        );
    }
    wanted.min(most)
}
