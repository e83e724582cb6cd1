//! Access tokens: RFC 9068 profile of JWT, signed and verified with the keyring.
//!
//! The library only signs and checks signatures. Everything else is checked here against the injected clock, because
//! it reads the operating system's clock, never enforces `crit`, ignores `typ`, and is lax about the types of claims.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::{NoContext, Uuid};

use super::{fault::Fault, keyring::Keyring};
use crate::{
    clock::{Moment, Reading, TOLERANCE},
    ids::{KeyId, SessionId, UserId},
    json,
    secret::AccessToken,
};

/// The media type of access tokens (RFC 9068 section 2.1).
const TYPE: &str = "at+jwt";
/// No token of ours is longer, in bytes.
const MAX_LENGTH: usize = 8 * 1024;
/// The tolerance in seconds, as claims have them.
const LEEWAY: i64 = TOLERANCE.as_secs().cast_signed();

/// What every access token of this service says.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    /// `iss`: the public URL.
    pub issuer: String,
    /// `aud`: for whom the tokens are.
    pub audience: String,
    /// `client_id`: in whose name they are asked for.
    pub client_id: String,
    /// How long each one is valid.
    pub lifetime: Duration,
}

/// The token is not one of ours, or not valid now. Callers learn no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the access token is not valid")]
pub struct InvalidToken;

/// Whom a token speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// The account.
    pub user: UserId,
    /// Its session.
    pub session: SessionId,
}

/// The header: these members and no others. Unknown ones, `crit` among them, are refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    typ: String,
    alg: String,
    kid: String,
}

/// The claims of RFC 9068 section 2.2, with `nbf` and `sid`.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    client_id: String,
    exp: i64,
    nbf: i64,
    iat: i64,
    jti: String,
    sid: String,
}

/// Signs an access token for `bearer`.
///
/// # Errors
/// [`Fault::Internal`] when the signature cannot be made.
pub(super) fn issue(
    keyring: &Keyring,
    settings: &TokenSettings,
    bearer: Bearer,
    now: Reading,
    lifetime: Duration,
) -> Result<AccessToken, Fault> {
    let (algorithm, kid, key) =
        keyring.signer().ok_or_else(|| Fault::internal("signing an access token", "no signing key"))?;
    let mut header = jsonwebtoken::Header::new(algorithm);
    header.typ = Some(TYPE.to_owned());
    header.kid = Some(kid.to_string());
    let claims = Claims {
        iss: settings.issuer.clone(),
        sub: bearer.user.to_string(),
        aud: settings.audience.clone(),
        client_id: settings.client_id.clone(),
        exp: (now.date + lifetime).seconds(),
        nbf: now.date.seconds(),
        iat: now.date.seconds(),
        jti: identifier(now.moment),
        sid: bearer.session.to_string(),
    };
    jsonwebtoken::encode(&header, &claims, key)
        .map(AccessToken::from)
        .map_err(|error| Fault::internal("signing an access token", error))
}

/// Reads an access token: its form, its signature by the key that it names, then every claim.
///
/// # Errors
/// [`InvalidToken`], whatever is wrong.
pub(super) fn verify(
    keyring: &Keyring,
    settings: &TokenSettings,
    token: &AccessToken,
    now: Reading,
) -> Result<Bearer, InvalidToken> {
    let token = token.expose();
    if token.len() > MAX_LENGTH {
        return Err(InvalidToken);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(InvalidToken)?;
    let (header, claims) = message.split_once('.').ok_or(InvalidToken)?;
    let header: Header = part(header)?;
    let kid: KeyId = header.kid.parse().map_err(|_| InvalidToken)?;
    let (algorithm, key) = keyring.verifier(kid).ok_or(InvalidToken)?;
    let named = serde_json::to_value(algorithm).map_err(|_| InvalidToken)?;
    if header.typ != TYPE || named != header.alg.as_str() {
        return Err(InvalidToken);
    }
    bytes(signature)?;
    match jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, algorithm) {
        Ok(true) => check(&part(claims)?, settings, now),
        Ok(false) | Err(_) => Err(InvalidToken),
    }
}

fn check(claims: &Claims, settings: &TokenSettings, now: Reading) -> Result<Bearer, InvalidToken> {
    let date = now.date.seconds();
    let ours =
        claims.iss == settings.issuer && claims.aud == settings.audience && claims.client_id == settings.client_id;
    let timely = claims.exp > date.saturating_sub(LEEWAY)
        && claims.nbf <= date.saturating_add(LEEWAY)
        && claims.iat <= date.saturating_add(LEEWAY)
        && !is_spent(claims, now.moment);
    // No token of ours was made before 1970.
    let dated = claims.iat >= 0 && claims.nbf >= 0;
    if !ours || !timely || !dated || claims.jti.is_empty() {
        return Err(InvalidToken);
    }
    Ok(Bearer {
        user: claims.sub.parse().map_err(|_| InvalidToken)?,
        session: claims.sid.parse().map_err(|_| InvalidToken)?,
    })
}

/// A new token's identifier: random, but for the moment of its making, in milliseconds (RFC 9562 section 5.7).
fn identifier(made: Moment) -> String {
    let millis = made.millis();
    let nanos = u32::try_from(millis % 1_000).unwrap_or(0).saturating_mul(1_000_000);
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, millis / 1_000, nanos)).to_string()
}

/// Whether the token has lasted as long as it says. Its dates cannot tell where the clock that counts was set back: they
/// come round once more. What has no such identifier was made by an older build, and has its dates alone.
fn is_spent(claims: &Claims, now: Moment) -> bool {
    let Some(made) = claims.jti.parse().ok().as_ref().and_then(Uuid::get_timestamp) else { return false };
    let (seconds, nanos) = made.to_unix();
    let made = Moment::from_millis(seconds.saturating_mul(1_000).saturating_add(u64::from(nanos / 1_000_000)));
    let lifetime = Duration::from_secs(u64::try_from(claims.exp.saturating_sub(claims.iat)).unwrap_or(0));
    now.since(made) >= lifetime.saturating_add(TOLERANCE)
}

/// One part of the compact serialisation. Only canonical base64url is read, so that a token has one spelling, and nothing
/// but an object: serde would also take a list of what the members should hold.
fn part<T: DeserializeOwned>(text: &str) -> Result<T, InvalidToken> {
    match json::read(&bytes(text)?) {
        Ok(object @ Value::Object(_)) => serde_json::from_value(object).map_err(|_| InvalidToken),
        Ok(_) | Err(_) => Err(InvalidToken),
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, InvalidToken> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidToken)
}
