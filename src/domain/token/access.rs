//! Access tokens: JWTs in the profile of RFC 9068.
//!
//! The library only signs and verifies signatures. This module checks everything else, with the service's clock,
//! because the library reads the operating system's clock, ignores `typ` and `crit`, and is lenient about the types of
//! claims.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    clock::{TOLERANCE, Timestamp},
    domain::crypto::{Keyring, SigningKey},
    error::ServiceError,
    ids::{KeyId, SessionId, UserId},
    json,
    secret::AccessToken,
};

/// The media type of access tokens (RFC 9068 section 2.1).
const TYPE: &str = "at+jwt";
/// The maximum length of an accepted token, in bytes. No token of this service is longer.
const MAX_LENGTH: usize = 8 * 1024;
/// The allowed difference between the clocks of instances, in seconds.
const LEEWAY: i64 = TOLERANCE.as_secs().cast_signed();

/// The lifetime of access tokens, and the claims that all of them share.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    /// The claim `iss`: the public URL.
    pub issuer: String,
    /// The claim `aud`: the services that accept the tokens.
    pub audience: String,
    /// The claim `client_id`: the client that requests the tokens.
    pub client_id: String,
    /// How long a token is valid.
    pub lifetime: Duration,
}

/// The error of an access token that this service did not issue, or that is not valid now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the access token is invalid or has expired")]
pub struct InvalidAccessToken;

/// The user and the session that a token belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenSubject {
    /// The user.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
}

/// The header. Tokens with other members, such as `crit`, are rejected.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    typ: String,
    alg: String,
    kid: String,
}

/// The claims of RFC 9068 section 2.2, with `sid`. There is no `nbf`: it would say the same as `iat`, and verifiers whose
/// clock is a little behind would refuse a fresh token.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    client_id: String,
    exp: i64,
    iat: i64,
    jti: String,
    sid: String,
}

/// Issues an access token that is valid for `lifetime`.
///
/// # Errors
/// Returns [`ServiceError::Internal`] if the token cannot be signed.
pub fn issue(
    keyring: &Keyring,
    settings: &TokenSettings,
    subject: TokenSubject,
    now: Timestamp,
    lifetime: Duration,
) -> Result<AccessToken, ServiceError> {
    let mut header = jsonwebtoken::Header::new(SigningKey::ALGORITHM);
    header.typ = Some(TYPE.to_owned());
    header.kid = Some(keyring.signing.active_id().to_string());

    let claims = Claims {
        iss: settings.issuer.clone(),
        sub: subject.user.to_string(),
        aud: settings.audience.clone(),
        client_id: settings.client_id.clone(),
        exp: (now + lifetime).seconds(),
        iat: now.seconds(),
        jti: Uuid::new_v4().to_string(),
        sid: subject.session.to_string(),
    };

    jsonwebtoken::encode(&header, &claims, keyring.signing.active().private())
        .map(AccessToken::from)
        .map_err(|error| ServiceError::internal("signing an access token", error))
}

/// Verifies an access token: its format, its signature under the key that it names, and every claim.
pub fn verify(
    keyring: &Keyring,
    settings: &TokenSettings,
    token: &AccessToken,
    now: Timestamp,
) -> Result<TokenSubject, InvalidAccessToken> {
    let token = token.expose();
    if token.len() > MAX_LENGTH {
        return Err(InvalidAccessToken);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(InvalidAccessToken)?;
    let (header, claims) = message.split_once('.').ok_or(InvalidAccessToken)?;

    let key = find_key(keyring, &read_part(header)?)?;
    decode(signature)?;
    match jsonwebtoken::crypto::verify(signature, message.as_bytes(), key.public(), SigningKey::ALGORITHM) {
        Ok(true) => check_claims(&read_part(claims)?, settings, now),
        Ok(false) | Err(_) => Err(InvalidAccessToken),
    }
}

/// Returns the key that a header names, if the header has the type and algorithm of this service.
fn find_key<'a>(keyring: &'a Keyring, header: &Header) -> Result<&'a SigningKey, InvalidAccessToken> {
    let algorithm = serde_json::to_value(SigningKey::ALGORITHM).map_err(|_| InvalidAccessToken)?;
    if header.typ != TYPE || algorithm != header.alg.as_str() {
        return Err(InvalidAccessToken);
    }
    let id: KeyId = header.kid.parse().map_err(|_| InvalidAccessToken)?;
    keyring.signing.get(id).ok_or(InvalidAccessToken)
}

fn check_claims(claims: &Claims, settings: &TokenSettings, now: Timestamp) -> Result<TokenSubject, InvalidAccessToken> {
    let seconds = now.seconds();
    let is_ours =
        claims.iss == settings.issuer && claims.aud == settings.audience && claims.client_id == settings.client_id;
    let is_valid_now = claims.exp > seconds.saturating_sub(LEEWAY) && claims.iat <= seconds.saturating_add(LEEWAY);
    // No token of this service was issued before 1970.
    let has_sane_times = claims.iat >= 0;

    if !is_ours || !is_valid_now || !has_sane_times || claims.jti.is_empty() {
        return Err(InvalidAccessToken);
    }
    Ok(TokenSubject {
        user: claims.sub.parse().map_err(|_| InvalidAccessToken)?,
        session: claims.sid.parse().map_err(|_| InvalidAccessToken)?,
    })
}

/// Reads one part of the compact serialization. Accepts only canonical base64url, so that a token has exactly one
/// spelling, and only a JSON object, because serde would also accept an array of the members' values.
fn read_part<T: DeserializeOwned>(text: &str) -> Result<T, InvalidAccessToken> {
    match json::read(&decode(text)?) {
        Ok(object @ Value::Object(_)) => serde_json::from_value(object).map_err(|_| InvalidAccessToken),
        Ok(_) | Err(_) => Err(InvalidAccessToken),
    }
}

fn decode(text: &str) -> Result<Vec<u8>, InvalidAccessToken> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidAccessToken)
}
