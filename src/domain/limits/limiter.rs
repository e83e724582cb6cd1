//! The limiter: the settings, and the pseudonyms that identify rows.

use std::sync::Arc;

use super::settings::LimitSettings;
use crate::{
    clock::Timestamp,
    domain::{crypto::Pseudonyms, request::Client},
    entity::{known_network, rate_limit},
    error::ServiceError,
    metrics::{Metrics, RateLimit},
    store::{Pool, delete_in_batches},
};

/// The limiter, which counts requests and login attempts and rejects those that exceed a limit.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The configured limits.
    pub settings: LimitSettings,
    pseudonyms: Pseudonyms,
    metrics: Arc<Metrics>,
}

impl Limits {
    /// Creates a limiter.
    pub const fn new(settings: LimitSettings, pseudonyms: Pseudonyms, metrics: Arc<Metrics>) -> Self {
        Self { settings, pseudonyms, metrics }
    }

    /// Deletes the rate limits that have expired by `now`. Returns how many.
    pub async fn delete_expired(&self, db: &Pool, now: Timestamp) -> Result<u64, ServiceError> {
        let expired = rate_limit::Entity::expired(now);
        delete_in_batches::<rate_limit::Entity>(db, "deleting expired rate limits", expired).await
    }

    /// Deletes the known networks that were not used within their lifetime. Returns how many.
    pub async fn delete_unused_networks(&self, db: &Pool, now: Timestamp) -> Result<u64, ServiceError> {
        let unused = known_network::Entity::unused_since(now - self.settings.known_network_lifetime);
        delete_in_batches::<known_network::Entity>(db, "deleting unused known networks", unused).await
    }

    /// Returns the subject of a row: the pseudonym of a purpose and of the client or user that it counts for.
    pub(super) fn subject(&self, purpose: &str, whom: &str) -> String {
        self.pseudonyms.hash(&format!("rate_limit:{purpose}"), whom)
    }

    /// Returns the pseudonym of a username and the network of a client.
    pub(super) fn network_of(&self, name: &str, client: &Client) -> String {
        // A network contains no line break, so the last line break always separates it from the name.
        self.pseudonyms.hash("known_network", &[name, "\n", &client.network()].concat())
    }

    /// Records the outcome in the metrics if it is a rejection.
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
