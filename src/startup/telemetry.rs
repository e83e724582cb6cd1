//! The settings of the log and the traces, derived from the configuration.

use crate::{
    config::{Config, HttpUrl},
    telemetry::TelemetrySettings,
};

/// Returns the settings of the log and the traces.
pub fn telemetry_settings(config: &Config) -> TelemetrySettings {
    TelemetrySettings {
        log_filter: config.log.filter.clone(),
        log_format: config.log.format,
        traces_endpoint: config.traces.endpoint.as_ref().map(HttpUrl::as_str).map(ToOwned::to_owned),
    }
}
