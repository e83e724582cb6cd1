//! Tokens: access tokens and refresh tokens, and the pair of both that a login returns.

pub mod access;
mod pair;
pub mod refresh;

pub use self::pair::{TokenPair, issue_pair};
