//! The limiter: the settings, and the pseudonyms under which rows are stored.

use std::sync::Arc;

use super::settings::LimitSettings;
use crate::{
    domain::crypto::Pseudonyms,
    error::ServiceError,
    metrics::{Metrics, RateLimit},
};

/// Counts what clients do, and rejects what is too much.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How much is allowed.
    pub settings: LimitSettings,
    pseudonyms: Pseudonyms,
    metrics: Arc<Metrics>,
}

impl Limits {
    /// Returns a limiter.
    pub const fn new(settings: LimitSettings, pseudonyms: Pseudonyms, metrics: Arc<Metrics>) -> Self {
        Self { settings, pseudonyms, metrics }
    }

    /// Returns the subject of a row: whom it counts, and for what.
    pub(super) fn subject(&self, purpose: &str, of: &str) -> String {
        self.pseudonyms.hash(&format!("rate_limit:{purpose}"), of)
    }

    /// Returns the pseudonym of a name in a network.
    pub(super) fn network_pseudonym(&self, name: &str, network: &str) -> String {
        // A network contains no line break, whatever the name contains.
        self.pseudonyms.hash("known_network", &[name, "\n", network].concat())
    }

    /// Counts a rejection in the metrics.
    pub(super) fn record_rejection<T>(
        &self,
        limit: RateLimit,
        outcome: Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        if let Err(ServiceError::RateLimited { .. }) = outcome {
            self.metrics.record_rate_limited(limit);
        }
        outcome
    }
}
