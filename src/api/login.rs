//! Login: signing in, and refreshing or revoking the tokens of a session.

use std::time::Duration;

use poem_openapi::{ApiResponse, Object, OpenApi};

use super::{
    declaration::Tag,
    extract::{ClientInfo, RunningApp},
    problems::problems,
    schema::{
        CurrentPassword, IssuedAccessToken, IssuedRefreshToken, Json, LoginIdentifier, PresentedRefreshToken,
        ProblemResponse,
    },
};
use crate::{
    domain::{
        auth::{
            login::{LoginAttempt, LoginError, login},
            refresh::{RefreshError, refresh, revoke},
        },
        token::TokenPair,
    },
    error::ServiceError,
};

#[derive(Default)]
pub(crate) struct LoginApi;

/// A name and its password.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct LoginRequest {
    /// The user name, in any spelling.
    username: LoginIdentifier,
    /// The password.
    password: CurrentPassword,
}

#[derive(ApiResponse)]
enum LoginResponse {
    /// Signed in.
    #[oai(status = 200)]
    SignedIn(Json<TokenResponse>),
}

/// The tokens of a session.
#[derive(Object)]
struct TokenResponse {
    /// Opens every operation that asks for a token; a JWT of RFC 9068's profile.
    access_token: IssuedAccessToken,
    /// How the token is presented: always `Bearer`.
    token_type: String,
    /// How many seconds the access token is valid.
    // At most the bound of the setting `tokens.access_lifetime`.
    #[oai(validator(minimum(value = "1"), maximum(value = "3600")))]
    expires_in: i64,
    /// Renews the session. Keep it secret, and use each one once.
    refresh_token: IssuedRefreshToken,
    /// How many seconds the session lasts unless it is renewed.
    // At most the bound of the setting `sessions.lifetime`.
    #[oai(validator(minimum(value = "1"), maximum(value = "34560000")))]
    refresh_expires_in: i64,
}

/// A refresh token.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct RefreshTokenRequest {
    /// The newest refresh token of the session.
    refresh_token: PresentedRefreshToken,
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
impl LoginApi {
    /// Sign in
    ///
    /// Answers the tokens of a new session for a user name and its password. Send the access token as
    /// `Authorization: Bearer` to the operations that need one, and renew it with the refresh token. An unknown name, a
    /// wrong password and a disabled account get the same answer.
    #[oai(path = "/login", method = "post", operation_id = "login")]
    async fn login(
        &self,
        app: RunningApp,
        client: ClientInfo,
        body: Json<LoginRequest>,
    ) -> Result<LoginResponse, ProblemResponse<LoginError>> {
        let attempt = LoginAttempt { username: body.0.username.0, password: body.0.password.0, client: client.0 };
        let tokens = login(&app, attempt).await?;
        Ok(LoginResponse::SignedIn(Json(tokens.into())))
    }

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
        app: RunningApp,
        client: ClientInfo,
        body: Json<RefreshTokenRequest>,
    ) -> Result<RefreshResponse, ProblemResponse<RefreshError>> {
        let tokens = refresh(&app, &body.0.refresh_token.0, &client.0).await?;
        Ok(RefreshResponse::Renewed(Json(tokens.into())))
    }

    /// Give a refresh token back
    ///
    /// Ends the session of a refresh token; the access token is not needed and may have expired. What is no token of a
    /// live session gets the same answer (RFC 7009).
    #[oai(path = "/token/revoke", method = "post", operation_id = "revokeToken")]
    async fn revoke(
        &self,
        app: RunningApp,
        client: ClientInfo,
        body: Json<RefreshTokenRequest>,
    ) -> Result<RevokeResponse, ProblemResponse<ServiceError>> {
        revoke(&app, &body.0.refresh_token.0, &client.0).await?;
        Ok(RevokeResponse::Revoked)
    }
}

impl From<TokenPair> for TokenResponse {
    fn from(tokens: TokenPair) -> Self {
        Self {
            access_token: IssuedAccessToken(tokens.access_token),
            token_type: "Bearer".to_owned(),
            expires_in: whole_seconds(tokens.expires_in),
            refresh_token: IssuedRefreshToken(tokens.refresh_token),
            refresh_expires_in: whole_seconds(tokens.refresh_expires_in),
        }
    }
}

/// Returns a lifetime in seconds, at least 1: a token that is valid never expires in 0 seconds.
fn whole_seconds(lifetime: Duration) -> i64 {
    i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX).max(1)
}

problems! {
    LoginError {
        InvalidCredentials => InvalidCredentials;
    }
    Service => [TooManyRequests, Busy, Unavailable]
}

problems! {
    RefreshError {
        InvalidToken => InvalidToken;
    }
    Service => [TooManyRequests, Unavailable]
}
