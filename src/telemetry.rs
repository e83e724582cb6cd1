//! The log: lines on standard error.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{EnvFilter, filter::filter_fn, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::{Log, LogFormat};

/// Whether whoever traces under this name shows secrets: at the level `trace`, sea-orm shows the database's URL with
/// the password in it.
fn tells_secrets(target: &str) -> bool {
    target == "sea_orm" || target.starts_with("sea_orm::")
}

/// Starts logging as configured, but for what tells secrets; a second call changes nothing.
pub fn start(log: &Log) {
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    // Told about a line that cannot be written, it would panic over the same full disk, in the middle of a request.
    let lines = tracing_subscriber::fmt().log_internal_errors(false).with_env_filter(filter).with_writer(io::stderr);
    let discreet = filter_fn(|metadata| !tells_secrets(metadata.target()));
    let started = match log.format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).finish().with(discreet).try_init(),
        LogFormat::Json => lines.json().finish().with(discreet).try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging had started before");
    }
}
