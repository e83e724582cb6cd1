//! Rate limits, backoff after failed logins, and known networks.
//!
//! Limits are database rows, so they hold across instances and restarts. Each row is read and written under its lock,
//! so concurrent attempts are all counted.
//!
//! A login attempt passes two limits. The client has a token bucket. An attempt with another user name than the
//! client's previous one costs more, so a client that tries many names is stopped early. The user has a count of
//! failures in a row, from any client. The first few are free, then each doubles the backoff, and many lock the user
//! out. A known network, from which the user has signed in before, has its own count instead. So an attacker cannot lock
//! the user out there. Names without a user are counted in the same way.

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
