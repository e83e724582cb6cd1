//! Derives the settings of log and traces from the configuration.

use crate::{
    config::{self, Log, Traces},
    telemetry::{LogFormat, TelemetrySettings},
};

/// Derives the settings of [`crate::telemetry::start`].
#[must_use]
pub fn settings(log: &Log, traces: &Traces) -> TelemetrySettings {
    TelemetrySettings {
        log_filter: log.filter.clone(),
        log_format: match log.format {
            config::LogFormat::Auto => LogFormat::Auto,
            config::LogFormat::Text => LogFormat::Text,
            config::LogFormat::Json => LogFormat::Json,
        },
        traces_endpoint: traces.endpoint.clone(),
    }
}
