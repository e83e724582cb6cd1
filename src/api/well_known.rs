//! `/.well-known`: what other services need to verify access tokens.

use poem_openapi::{ApiResponse, Object, OpenApi};

use super::{
    declaration::Tag,
    extract::RunningApp,
    schema::{Json, ProblemResponse},
};
use crate::{domain::crypto::PublicKey, error::ServiceError};

/// How long verifiers may cache the keys, in seconds.
const MAX_AGE: u32 = 300;

#[derive(Default)]
pub(crate) struct WellKnownApi;

/// Public keys (RFC 7517).
#[derive(Object)]
struct JwksResponse {
    /// The keys, oldest first.
    keys: Vec<JwkResponse>,
}

/// A public key on the curve P-256.
#[derive(Object)]
struct JwkResponse {
    /// The key type: `EC`.
    kty: String,
    /// What the key is for: `sig`, signatures.
    #[oai(rename = "use")]
    usage: String,
    /// The algorithm, the only one with which this key is used: `ES256`.
    alg: String,
    /// The key's identifier, which tokens name in their header.
    kid: String,
    /// The curve: `P-256`.
    crv: String,
    /// The point's x coordinate in base64url.
    x: String,
    /// The point's y coordinate in base64url.
    y: String,
}

#[derive(ApiResponse)]
enum GetJwksResponse {
    /// The keys that verify access tokens.
    #[oai(status = 200)]
    Keys(
        Json<JwksResponse>,
        /// How long the keys may be kept.
        #[oai(header = "Cache-Control")]
        String,
    ),
}

#[OpenApi(tag = "Tag::Keys")]
impl WellKnownApi {
    /// Get the keys that verify tokens
    ///
    /// Answers the public keys with which any service can verify access tokens by itself. Choose the key by the
    /// token's `kid`, check `iss`, `aud`, `exp` and `typ` (`at+jwt`), and fetch the keys again when a `kid` is unknown.
    #[oai(path = "/.well-known/jwks.json", method = "get", operation_id = "getJwks")]
    #[expect(clippy::unused_async, reason = "handlers are async")]
    async fn jwks(&self, app: RunningApp) -> Result<GetJwksResponse, ProblemResponse<ServiceError>> {
        let keys = app.keyring.current().published.iter().cloned().map(JwkResponse::from).collect();
        Ok(GetJwksResponse::Keys(Json(JwksResponse { keys }), format!("public, max-age={MAX_AGE}")))
    }
}

impl From<PublicKey> for JwkResponse {
    fn from(key: PublicKey) -> Self {
        Self {
            kty: "EC".to_owned(),
            usage: "sig".to_owned(),
            alg: "ES256".to_owned(),
            kid: key.id.to_string(),
            crv: "P-256".to_owned(),
            x: key.x,
            y: key.y,
        }
    }
}
