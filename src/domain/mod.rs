//! Rules: what the service does, free of HTTP, of the document and of the environment.
//!
//! One module a topic, with the name that its topic has in `api` and `entity`. Functions are verbs; each reads the
//! clock once, and all writes go through the one kind of transaction in `transaction`.

pub mod access_token;
pub mod account;
pub mod audit;
pub mod clean_up;
pub mod clock;
pub mod database;
mod device;
pub mod fault;
#[cfg(fuzzing)]
pub mod fuzzing;
mod job;
pub mod keyring;
pub mod login;
pub mod name;
pub mod password;
pub mod pool;
pub mod refresh_token;
mod seal;
pub mod service;
pub mod session;
pub mod throttle;
pub mod token;
mod transaction;

use std::sync::Arc;

use crate::{clock::Clock, metrics::Metrics};

/// What the rules work with. Plain data: built once at start, shared by every request.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub db: pool::Pool,
    /// Tells the time.
    pub clock: Clock,
    /// What is known of the clock that counts.
    pub watch: clock::Watch,
    /// Signs and verifies.
    pub keyring: keyring::Keyring,
    /// Hashes passwords and checks them.
    pub hashing: password::Hashing,
    /// What a new password must satisfy.
    pub passwords: password::Policy,
    /// What access tokens say.
    pub tokens: access_token::TokenSettings,
    /// How long sessions last, and how many there are.
    pub sessions: session::SessionSettings,
    /// How much is let through.
    pub throttle: throttle::ThrottleSettings,
    /// Counts what happens.
    pub metrics: Arc<Metrics>,
    /// How long audit events are kept.
    pub audit: audit::AuditSettings,
    /// Who may register.
    pub registration: account::RegistrationSettings,
}
