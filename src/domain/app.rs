//! The [`App`]: the parts of the service that use cases share.

use std::{sync::Arc, time::Duration};

use super::{
    audit::AuditLog,
    crypto::SharedKeyring,
    limits::Limits,
    password::{Hasher, PasswordPolicy},
    session::SessionSettings,
    token::access::TokenSettings,
};
use crate::{clock::Clock, metrics::Metrics, store::Pool};

/// The parts of the service. The startup creates them once, and all requests share them.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub db: Pool,
    /// The clock.
    pub clock: Clock,
    /// The keys, which sign and verify tokens.
    pub keyring: SharedKeyring,
    /// The audit log.
    pub audit: AuditLog,
    /// How long audit events are kept.
    pub audit_retention: Duration,
    /// The limiter, which enforces rate limits, backoff and lockout.
    pub limits: Limits,
    /// The password hasher.
    pub hasher: Hasher,
    /// The policy for new passwords.
    pub password_policy: PasswordPolicy,
    /// The lifetime of access tokens, and the claims that all of them share.
    pub tokens: TokenSettings,
    /// The settings of sessions.
    pub sessions: SessionSettings,
    /// The settings of registration.
    pub registration: RegistrationSettings,
    /// The metrics.
    pub metrics: Arc<Metrics>,
}

/// The settings of registration.
#[derive(Clone, Debug)]
pub struct RegistrationSettings {
    /// Whether anyone may register. Operators can always create users.
    pub open: bool,
    /// Reserved usernames in addition to the built-in ones, in canonical form.
    pub reserved_names: Vec<String>,
}
