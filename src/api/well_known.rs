//! `/.well-known`: the public keys with which other services verify access tokens.

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

/// A JSON Web Key Set (RFC 7517).
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
    /// The use of the key: `sig` (signatures).
    #[oai(rename = "use")]
    usage: String,
    /// The only algorithm of the key: `ES256`.
    alg: String,
    /// The identifier of the key. Access tokens name it in the header parameter `kid`.
    kid: String,
    /// The curve: `P-256`.
    crv: String,
    /// The x coordinate of the point, in base64url.
    x: String,
    /// The y coordinate of the point, in base64url.
    y: String,
}

#[derive(ApiResponse)]
enum GetJwksResponse {
    /// The public keys.
    #[oai(status = 200)]
    Keys(
        Json<JwksResponse>,
        /// How long clients may cache the keys.
        #[oai(header = "Cache-Control")]
        String,
    ),
}

#[OpenApi(tag = "Tag::Keys")]
impl WellKnownApi {
    /// Get the public keys
    ///
    /// Returns the public keys with which any service can verify access tokens by itself.
    ///
    /// To verify a token, select the key by the token's `kid`, verify the signature, and check `typ` (`at+jwt`), `iss`,
    /// `aud` and `exp`. Cache the keys for as long as `Cache-Control` allows. Get them again if a token names an
    /// unknown `kid`.
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
