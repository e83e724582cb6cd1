//! The form of refresh tokens.
//!
//! `vst_r_` and base64url of: version, key identifier, session identifier, counter, the session's secret, and
//! HMAC-SHA-256 under the refresh key over all before it. The database has only the secret's digest, and the key makes
//! only the MAC: whoever has either, or both, still lacks the secret of every live session.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::{fault::Fault, keyring::Keyring};
use crate::{
    ids::{KeyId, SessionId},
    secret::{RefreshToken, SessionSecret},
};

/// What every refresh token begins with, so that scanners find the ones that leak.
pub const PREFIX: &str = "vst_r_";
/// What every refresh token looks like; how long it is may change.
pub const PATTERN: &str = "^vst_r_[A-Za-z0-9_-]+$";

const VERSION: u8 = 1;
const MAC_LENGTH: usize = 32;
/// Version, two identifiers, counter, secret, MAC.
const LENGTH: usize = 1 + 16 + 16 + 8 + 16 + MAC_LENGTH;

/// The token is not one of ours. Callers learn no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the refresh token is not valid")]
pub(super) struct InvalidToken;

/// What a refresh token says.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    /// Whose token it is.
    pub(super) session: SessionId,
    /// Which of the session's tokens it is, from 1.
    pub(super) counter: i64,
    /// What proves that the session's owner was given it.
    pub(super) secret: SessionSecret,
}

/// Makes the one token that says `claim`: with the same key it is always the same.
///
/// # Errors
/// [`Fault::Internal`] when there is no key.
pub(super) fn issue(keyring: &Keyring, claim: &Claim) -> Result<RefreshToken, Fault> {
    let (id, key) =
        keyring.refresh_maker().ok_or_else(|| Fault::internal("making a refresh token", "no refresh key"))?;
    // As long as it gets, so that no part of it is left behind where it grew.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LENGTH));
    bytes.push(VERSION);
    bytes.extend(id.as_bytes());
    bytes.extend(claim.session.as_bytes());
    bytes.extend(claim.counter.to_be_bytes());
    bytes.extend(claim.secret.expose());
    let mac = hmac::sign(key, &bytes);
    bytes.extend(mac.as_ref());
    let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(&*bytes));
    Ok(RefreshToken::from([PREFIX, &text].concat()))
}

/// Reads a token that this service made, whatever has become of its session. Only its one spelling is read.
///
/// # Errors
/// [`InvalidToken`], whatever is wrong.
pub(super) fn read(keyring: &Keyring, token: &RefreshToken) -> Result<Claim, InvalidToken> {
    let text = token.expose().strip_prefix(PREFIX).ok_or(InvalidToken)?;
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidToken)?);
    let (message, mac) = bytes.split_last_chunk::<MAC_LENGTH>().ok_or(InvalidToken)?;
    let mut rest = message;
    let [version] = take(&mut rest)?;
    let key = keyring.refresh_checker(KeyId::from_bytes(take(&mut rest)?)).ok_or(InvalidToken)?;
    hmac::verify(key, message, mac).map_err(|_| InvalidToken)?;
    let claim = Claim {
        session: SessionId::from_bytes(take(&mut rest)?),
        counter: i64::from_be_bytes(take(&mut rest)?),
        secret: SessionSecret::from_bytes(take(&mut rest)?),
    };
    if version == VERSION && rest.is_empty() { Ok(claim) } else { Err(InvalidToken) }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], InvalidToken> {
    let (first, others) = rest.split_first_chunk().ok_or(InvalidToken)?;
    *rest = others;
    Ok(*first)
}
