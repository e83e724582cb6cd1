//! Tokens: access tokens, refresh tokens, and the pair that a login returns.

pub mod access;
mod pair;
pub mod refresh;

pub use self::pair::{TokenPair, issue_pair};
