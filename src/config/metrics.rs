//! `[metrics]`

use std::net::SocketAddr;

use super::{error::ConfigError, server::Server, settings_macro::settings};

settings! {
    /// Metrics for Prometheus.
    pub struct Metrics as "metrics" {
        /// The address of a separate listener, such as `127.0.0.1:9464`, which serves only `GET /metrics`. If unset,
        /// there are no metrics.
        listen: Option<SocketAddr> = "",
    }
}

impl Metrics {
    pub(super) fn validate(&self, server: &Server) -> Result<(), ConfigError> {
        let overlapping = self.listen.and_then(|address| server.overlapping(address));
        match overlapping {
            Some(address) => {
                let reason =
                    format!("must not overlap with an address in server.listen ({address}); write another port");
                Err(ConfigError::setting("metrics.listen", reason))
            }
            None => Ok(()),
        }
    }
}
