//! The limiter: the settings, and the pseudonyms under which rows are stored.

use std::sync::Arc;

use super::settings::LimitSettings;
use crate::{
    domain::{crypto::Pseudonyms, request::Client},
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

    /// Returns the subject of a row: for what it counts, and whom.
    pub(super) fn subject(&self, purpose: &str, whom: &str) -> String {
        self.pseudonyms.hash(&format!("rate_limit:{purpose}"), whom)
    }

    /// Returns the pseudonym of a user's name and the network of a client.
    pub(super) fn network_of(&self, name: &str, client: &Client) -> String {
        // A network contains no line break, whatever the name contains.
        self.pseudonyms.hash("known_network", &[name, "\n", &client.network()].concat())
    }

    /// Counts a rejection in the metrics.
    pub(super) fn count_rejection<T>(
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
