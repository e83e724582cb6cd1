//! The format of refresh tokens.
//!
//! A token is `vst_r_` and the base64url encoding of: version, key identifier, session identifier, counter, session
//! secret, and an HMAC-SHA-256 over all of these under the refresh key. The database contains only a digest of the
//! secret, and the key only creates the MAC. Even the database and the key together therefore do not allow an attacker
//! to forge a token of a live session.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::{
    domain::crypto::Keyring,
    ids::{KeyId, SessionId},
    secret::{RefreshToken, SessionSecret},
};

/// The prefix of every refresh token. Secret scanners find leaked tokens by it.
pub const PREFIX: &str = "vst_r_";
/// The regular expression of refresh tokens. It does not fix their length, which may change.
pub const PATTERN: &str = "^vst_r_[A-Za-z0-9_-]+$";

const VERSION: u8 = 1;
const MAC_LENGTH: usize = 32;
/// The length of version, two identifiers, counter, secret and MAC, in bytes.
const LENGTH: usize = 1 + 16 + 16 + 8 + 16 + MAC_LENGTH;

/// The error of a refresh token that this service did not issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the refresh token is invalid")]
pub struct InvalidRefreshToken;

/// The content of a refresh token.
#[derive(Debug, Clone)]
pub struct TokenContent {
    /// The session that the token refreshes.
    pub session: SessionId,
    /// The number of the token in its session, counted from 1.
    pub counter: i64,
    /// The secret of the session.
    pub secret: SessionSecret,
}

/// Issues the token with this content. The same content and active key always give the same token.
pub fn issue(keyring: &Keyring, content: &TokenContent) -> RefreshToken {
    // The capacity is final, because a reallocation would leave a copy of the secret in memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LENGTH));
    bytes.push(VERSION);
    bytes.extend(keyring.refresh.active_id().as_bytes());
    bytes.extend(content.session.as_bytes());
    bytes.extend(content.counter.to_be_bytes());
    bytes.extend(content.secret.expose());
    let mac = hmac::sign(keyring.refresh.active(), &bytes);
    bytes.extend(mac.as_ref());

    let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(&*bytes));
    RefreshToken::from([PREFIX, &text].concat())
}

/// Verifies the MAC of a token and returns its content, whether or not its session still exists. Each token has exactly
/// one spelling.
pub fn verify(keyring: &Keyring, token: &RefreshToken) -> Result<TokenContent, InvalidRefreshToken> {
    let text = token.expose().strip_prefix(PREFIX).ok_or(InvalidRefreshToken)?;
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidRefreshToken)?);
    let (message, mac) = bytes.split_last_chunk::<MAC_LENGTH>().ok_or(InvalidRefreshToken)?;

    let mut rest = message;
    let [version] = take_bytes(&mut rest)?;
    let key = keyring.refresh.get(KeyId::from_bytes(take_bytes(&mut rest)?)).ok_or(InvalidRefreshToken)?;
    hmac::verify(key, message, mac).map_err(|_| InvalidRefreshToken)?;

    let content = TokenContent {
        session: SessionId::from_bytes(take_bytes(&mut rest)?),
        counter: i64::from_be_bytes(take_bytes(&mut rest)?),
        secret: SessionSecret::from_bytes(take_bytes(&mut rest)?),
    };
    if version == VERSION && rest.is_empty() { Ok(content) } else { Err(InvalidRefreshToken) }
}

/// Takes the next bytes from `rest`.
fn take_bytes<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], InvalidRefreshToken> {
    let (first, others) = rest.split_first_chunk().ok_or(InvalidRefreshToken)?;
    *rest = others;
    Ok(*first)
}
