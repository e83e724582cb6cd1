//! What fuzz targets may do with tokens; only there when the service is built for them (`--cfg fuzzing`).
//!
//! The rules of tokens need keys and no database. The targets call them here without one, and make what only the owner
//! of the keys can make, so that they get past MAC and signature.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    App,
    access_token::{self, Bearer},
    refresh_token::{self, Claim, PREFIX},
};
use crate::{
    clock::Reading,
    ids::SessionId,
    secret::{AccessToken, RefreshToken, SessionSecret},
};

/// The identifier of the key that signs.
#[must_use]
pub fn signing_key(app: &App) -> Option<String> {
    app.keyring.signer().map(|(_, id, _)| id.to_string())
}

/// An access token for `bearer`, as a login at `now` makes one.
#[must_use]
pub fn issue_access_token(app: &App, bearer: Bearer, now: Reading, lifetime: Duration) -> Option<String> {
    let token = access_token::issue(&app.keyring, &app.tokens, bearer, now, lifetime).ok()?;
    Some(token.expose().to_owned())
}

/// Any header and any claims, signed with the real key.
#[must_use]
pub fn sign(app: &App, header: &[u8], claims: &[u8]) -> Option<String> {
    let (algorithm, _, key) = app.keyring.signer()?;
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).ok()?;
    Some(format!("{message}.{signature}"))
}

/// Reads an access token; for whom it speaks, where it is valid.
#[must_use]
pub fn verify_access_token(app: &App, token: &str, now: Reading) -> Option<Bearer> {
    access_token::verify(&app.keyring, &app.tokens, &AccessToken::from(token.to_owned()), now).ok()
}

/// The refresh token of a session that says this.
#[must_use]
pub fn issue_refresh_token(app: &App, session: SessionId, counter: i64, secret: [u8; 16]) -> Option<String> {
    let claim = Claim { session, counter, secret: SessionSecret::from_bytes(secret) };
    Some(refresh_token::issue(&app.keyring, &claim).ok()?.expose().to_owned())
}

/// Any bytes as a refresh token with a right MAC.
#[must_use]
pub fn with_mac(app: &App, message: &[u8]) -> Option<String> {
    let (_, key) = app.keyring.refresh_maker()?;
    let mac = hmac::sign(key, message);
    Some([PREFIX, &URL_SAFE_NO_PAD.encode([message, mac.as_ref()].concat())].concat())
}

/// The sixteen bytes that name the key of refresh tokens.
#[must_use]
pub fn refresh_key(app: &App) -> Option<[u8; 16]> {
    app.keyring.refresh_maker().map(|(id, _)| *id.as_bytes())
}

/// Reads a refresh token: session, counter and secret, where it is one of ours.
#[must_use]
pub fn read_refresh_token(app: &App, token: &str) -> Option<(SessionId, i64, [u8; 16])> {
    let claim = refresh_token::read(&app.keyring, &RefreshToken::from(token.to_owned())).ok()?;
    Some((claim.session, claim.counter, *claim.secret.expose()))
}
