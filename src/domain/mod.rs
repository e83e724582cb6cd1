//! Rules: what the service does, free of HTTP, of the document and of the environment.
//!
//! One module a topic, with the name that its topic has in `api` and `entity`. Functions are verbs; each reads the
//! clock once, and all writes go through [`database`]'s one kind of transaction.

pub mod account;
pub mod database;
pub mod fault;
pub mod keyring;
pub mod login;
pub mod name;
pub mod password;
mod seal;
pub mod session;
pub mod token;

use sea_orm::DatabaseConnection;

use crate::clock::Clock;

/// What the rules work with. Plain data: built once at start, shared by every request.
#[derive(Debug)]
pub struct App {
    /// The pool of connections.
    pub db: DatabaseConnection,
    /// Tells the time.
    pub clock: Clock,
    /// Signs and verifies.
    pub keyring: keyring::Keyring,
    /// Hashes passwords and checks them.
    pub hashing: password::Hashing,
    /// What a new password must satisfy.
    pub passwords: password::Policy,
    /// What access tokens say.
    pub tokens: token::TokenSettings,
    /// How long sessions last.
    pub sessions: session::SessionSettings,
    /// Who may register.
    pub registration: account::RegistrationSettings,
}
