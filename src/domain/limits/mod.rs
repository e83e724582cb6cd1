//! Rate limits, backoff after failed login attempts, and known networks.
//!
//! Limits are database rows, so they apply across instances and restarts. Each row is read and written under its lock,
//! so that all concurrent attempts are counted.
//!
//! A login attempt passes two limits:
//!
//! - Each client has a token bucket. An attempt with another username than the client's previous one costs more, so a
//!   client that tries many usernames is stopped early.
//! - Each user has a count of consecutive failures, from any client. The first few are free. Each further failure
//!   doubles the backoff, and many failures lock the user out. A known network, from which the user has logged in
//!   before, has its own count instead, so an attacker on another network cannot lock the user out there.
//!
//! Unknown usernames are counted in the same way as known ones.

mod backoff;
mod known_network;
mod limiter;
mod login_attempt;
mod other_requests;
mod row;
mod settings;
mod token_bucket;

pub use self::{
    known_network::forget_networks,
    limiter::Limits,
    login_attempt::CountedAttempt,
    settings::{LimitSettings, Rate},
};
