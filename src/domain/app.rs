//! The [`App`]: the parts that use cases work with.

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

/// The parts of the service. The start builds them once, and all requests share them.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub db: Pool,
    /// Tells the time.
    pub clock: Clock,
    /// Signs and verifies tokens.
    pub keyring: SharedKeyring,
    /// Records audit events.
    pub audit: AuditLog,
    /// How long audit events are kept.
    pub audit_retention: Duration,
    /// Enforces rate limits, backoff and lockout.
    pub limits: Limits,
    /// Hashes and verifies passwords.
    pub hasher: Hasher,
    /// What a new password must satisfy.
    pub password_policy: PasswordPolicy,
    /// The lifetime of access tokens, and the claims that all of them share.
    pub tokens: TokenSettings,
    /// How long sessions last, and how many a user may have.
    pub sessions: SessionSettings,
    /// Who may register.
    pub registration: RegistrationSettings,
    /// Counts events for the operator.
    pub metrics: Arc<Metrics>,
}

/// Who may register.
#[derive(Clone, Debug)]
pub struct RegistrationSettings {
    /// Whether anyone may register. An operator can always create users.
    pub open: bool,
    /// Reserved names besides the built-in ones, in canonical form.
    pub reserved_names: Vec<String>,
}
