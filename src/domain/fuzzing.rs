//! Access to tokens for fuzz targets. Compiled only with `--cfg fuzzing`.
//!
//! The functions create and verify tokens without a database, with keys that a fuzz target controls, so that its inputs
//! pass MACs and signatures.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    app::App,
    crypto::SigningKey,
    token::{
        access::{self, TokenSubject},
        refresh::{self, PREFIX, TokenContent},
    },
};
use crate::{
    clock::Timestamp,
    ids::SessionId,
    secret::{AccessToken, RefreshToken, SessionSecret},
};

/// Returns the identifier of the active signing key.
pub fn signing_key_id(app: &App) -> String {
    app.keyring.current().signing.active_id().to_string()
}

/// Issues an access token, as a login at `now` does.
pub fn issue_access_token(app: &App, subject: TokenSubject, now: Timestamp, lifetime: Duration) -> Option<String> {
    let token = access::issue(&app.keyring.current(), &app.tokens, subject, now, lifetime).ok()?;
    Some(token.expose().to_owned())
}

/// Signs an arbitrary header and arbitrary claims with the active key.
pub fn sign(app: &App, header: &[u8], claims: &[u8]) -> Option<String> {
    let keyring = app.keyring.current();
    let key = keyring.signing.active().private();
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, SigningKey::ALGORITHM).ok()?;
    Some(format!("{message}.{signature}"))
}

/// Verifies an access token. Returns its user and session.
pub fn verify_access_token(app: &App, token: &str, now: Timestamp) -> Option<TokenSubject> {
    access::verify(&app.keyring.current(), &app.tokens, &AccessToken::from(token.to_owned()), now).ok()
}

/// Issues a refresh token with this content.
pub fn issue_refresh_token(app: &App, session: SessionId, counter: i64, secret: [u8; 16]) -> String {
    let content = TokenContent { session, counter, secret: SessionSecret::from_bytes(secret) };
    refresh::issue(&app.keyring.current(), &content).expose().to_owned()
}

/// Returns arbitrary bytes as a refresh token with a valid MAC.
pub fn with_mac(app: &App, message: &[u8]) -> String {
    let mac = hmac::sign(app.keyring.current().refresh.active(), message);
    [PREFIX, &URL_SAFE_NO_PAD.encode([message, mac.as_ref()].concat())].concat()
}

/// Returns the identifier of the active refresh key.
pub fn refresh_key_id(app: &App) -> [u8; 16] {
    *app.keyring.current().refresh.active_id().as_bytes()
}

/// Verifies a refresh token. Returns its session, counter and secret.
pub fn read_refresh_token(app: &App, token: &str) -> Option<(SessionId, i64, [u8; 16])> {
    let content = refresh::verify(&app.keyring.current(), &RefreshToken::from(token.to_owned())).ok()?;
    Some((content.session, content.counter, *content.secret.expose()))
}
