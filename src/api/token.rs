//! `/token`: a session's tokens, renewed and given back.

use poem_openapi::{ApiResponse, Object, OpenApi};

use super::{
    Tag,
    client::ClientInfo,
    json::Json,
    problem::{Problem, ProblemCode},
    refused::{Refusal, Refused},
    state::State,
    types::{AccessTokenText, NewRefreshToken, RefreshTokenText},
};
use crate::{
    domain::{
        auth::refresh::{self, RefreshError},
        token::TokenPair,
    },
    error::ServiceError,
};

pub(crate) struct TokenApi;

/// The tokens of a session.
#[derive(Object)]
pub(super) struct TokenResponse {
    /// Opens every operation that asks for a token; a JWT of RFC 9068's profile.
    access_token: AccessTokenText,
    /// How the token is presented: always `Bearer`.
    token_type: String,
    /// How many seconds the access token is valid.
    #[oai(validator(minimum(value = "1"), maximum(value = "3600")))]
    expires_in: i64,
    /// Renews the session. Keep it secret, and use each one once.
    refresh_token: NewRefreshToken,
    /// How many seconds the session lasts unless it is renewed.
    #[oai(validator(minimum(value = "1"), maximum(value = "34560000")))]
    refresh_expires_in: i64,
}

/// A refresh token.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct RefreshTokenRequest {
    /// The newest refresh token of the session.
    refresh_token: RefreshTokenText,
}

#[derive(ApiResponse)]
enum RefreshResponse {
    /// The session was renewed.
    #[oai(status = 200)]
    Renewed(Json<TokenResponse>),
}

#[derive(ApiResponse)]
enum RevokeResponse {
    /// The token is of no use any more, if it ever was.
    #[oai(status = 204)]
    Revoked,
}

#[OpenApi(tag = "Tag::Login")]
impl TokenApi {
    /// Renew a session
    ///
    /// Answers a new access token and the next refresh token for the newest refresh token of a session: the one that the
    /// login or the last refresh answered. When an answer gets lost, or several tabs renew at once, sending the same
    /// token again within the grace (30 seconds unless the operator chose otherwise) answers the same refresh token, as
    /// long as that one has not been used. A token that is older must have been copied: it is refused and its session
    /// ends.
    #[oai(path = "/token/refresh", method = "post", operation_id = "refreshToken")]
    async fn refresh(
        &self,
        app: State,
        client: ClientInfo,
        body: Json<RefreshTokenRequest>,
    ) -> Result<RefreshResponse, Refused<RefreshError>> {
        let tokens = refresh::refresh(&app, &body.0.refresh_token.0, &client.0).await?;
        Ok(RefreshResponse::Renewed(Json(tokens.into())))
    }

    /// Give a refresh token back
    ///
    /// Ends the session of a refresh token; the access token is not needed and may have expired. What is no token of a
    /// live session gets the same answer (RFC 7009).
    #[oai(path = "/token/revoke", method = "post", operation_id = "revokeToken")]
    async fn revoke(
        &self,
        app: State,
        client: ClientInfo,
        body: Json<RefreshTokenRequest>,
    ) -> Result<RevokeResponse, Refused<ServiceError>> {
        refresh::revoke(&app, &body.0.refresh_token.0, &client.0).await?;
        Ok(RevokeResponse::Revoked)
    }
}

impl From<TokenPair> for TokenResponse {
    fn from(tokens: TokenPair) -> Self {
        // The last part of a second still counts, so that a token that is valid never says zero.
        let seconds = |span: std::time::Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX).max(1);
        Self {
            access_token: AccessTokenText(tokens.access_token),
            token_type: "Bearer".to_owned(),
            expires_in: seconds(tokens.expires_in),
            refresh_token: NewRefreshToken(tokens.refresh_token),
            refresh_expires_in: seconds(tokens.refresh_expires_in),
        }
    }
}

impl Refusal for RefreshError {
    const CODES: &'static [ProblemCode] =
        &[ProblemCode::InvalidToken, ProblemCode::TooManyRequests, ProblemCode::Unavailable];
}

impl From<RefreshError> for Problem {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::InvalidToken => Self::new(ProblemCode::InvalidToken),
            RefreshError::Service(error) => error.into(),
        }
    }
}

/// Operations that can fail in no way of their own, and do not hash.
impl Refusal for ServiceError {
    const CODES: &'static [ProblemCode] = &[ProblemCode::Unavailable];
}
