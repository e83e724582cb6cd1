//! The token pair of a session.

use std::time::Duration;

use super::{
    access::{self, TokenSettings, TokenSubject},
    refresh::{self, TokenContent},
};
use crate::{
    clock::Timestamp,
    domain::crypto::Keyring,
    entity::session,
    error::ServiceError,
    secret::{AccessToken, RefreshToken, SessionSecret},
};

/// The tokens that a login or a refresh returns.
#[derive(Debug)]
pub struct TokenPair {
    /// The access token, which authenticates requests.
    pub access_token: AccessToken,
    /// How long the access token is valid: at most as long as the session lasts without a refresh.
    pub expires_in: Duration,
    /// The refresh token, which refreshes the session.
    pub refresh_token: RefreshToken,
    /// How long the session lasts without a refresh.
    pub refresh_expires_in: Duration,
}

/// Issues the tokens for the current state of a session.
///
/// # Errors
/// Returns [`ServiceError::Internal`] if the access token cannot be signed.
pub fn issue_pair(
    keyring: &Keyring,
    settings: &TokenSettings,
    session: &session::Model,
    secret: &SessionSecret,
    now: Timestamp,
) -> Result<TokenPair, ServiceError> {
    let refresh_expires_in = session.idle_expires_at.since(now);
    let expires_in = settings.lifetime.min(refresh_expires_in);
    let subject = TokenSubject { user: session.user_id, session: session.id };
    let content = TokenContent { session: session.id, counter: session.counter, secret: secret.clone() };

    Ok(TokenPair {
        access_token: access::issue(keyring, settings, subject, now, expires_in)?,
        expires_in,
        refresh_token: refresh::issue(keyring, &content),
        refresh_expires_in,
    })
}
