//! `[traces]`

use super::{error::ConfigError, http_url::HttpUrl, settings_macro::settings};

settings! {
    /// OpenTelemetry traces.
    pub struct Traces as "traces" {
        /// The URL of an OTLP collector over HTTP, such as `http://localhost:4318`, without a path. If unset, the
        /// server exports no traces.
        endpoint: Option<HttpUrl> = "",
    }
}

impl Traces {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.endpoint.as_ref().is_some_and(|url| !url.path().is_empty()) {
            return Err(ConfigError::setting("traces.endpoint", "must not have a path; write http://localhost:4318"));
        }
        Ok(())
    }
}
