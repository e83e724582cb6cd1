//! Login: log in, and refresh or revoke the tokens of a session.

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

/// A username and its password.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct LoginRequest {
    /// The username. Case does not matter.
    username: LoginIdentifier,
    /// The password.
    password: CurrentPassword,
}

#[derive(ApiResponse)]
enum LoginResponse {
    /// The tokens of the new session.
    #[oai(status = 200)]
    LoggedIn(Json<TokenResponse>),
}

/// The tokens of a session.
#[derive(Object)]
struct TokenResponse {
    /// The access token: a JWT in the profile of RFC 9068. Send it in the header `Authorization: Bearer`.
    access_token: IssuedAccessToken,
    /// The authorization scheme of the access token: always `Bearer`.
    token_type: String,
    /// The number of seconds until the access token expires.
    // At most the bound of the setting `tokens.access_lifetime`.
    #[oai(validator(minimum(value = "1"), maximum(value = "3600")))]
    expires_in: i64,
    /// The refresh token, which `POST /token/refresh` exchanges for new tokens. Keep it secret, and use it only once.
    refresh_token: IssuedRefreshToken,
    /// The number of seconds until the session expires unless it is refreshed.
    // At most the bound of the setting `sessions.lifetime`.
    #[oai(validator(minimum(value = "1"), maximum(value = "34560000")))]
    refresh_expires_in: i64,
}

/// A refresh token.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct RefreshTokenRequest {
    /// The refresh token from the latest login or refresh response.
    refresh_token: PresentedRefreshToken,
}

#[derive(ApiResponse)]
enum RefreshResponse {
    /// The new tokens of the session.
    #[oai(status = 200)]
    Refreshed(Json<TokenResponse>),
}

#[derive(ApiResponse)]
enum RevokeResponse {
    /// The session is revoked, or the token belongs to no active session.
    #[oai(status = 204)]
    Revoked,
}

#[OpenApi(tag = "Tag::Login")]
impl LoginApi {
    /// Log in
    ///
    /// Opens a session for a username and its password, and returns the tokens of the session. Send the access token in
    /// the header `Authorization: Bearer` of operations that require one. When it expires, send the refresh token to
    /// `POST /token/refresh` to get new tokens.
    ///
    /// The response is the same, `invalid_credentials`, for an unknown username, a wrong password and a disabled user.
    /// After several failed attempts, the response is `too_many_requests`: wait for the number of seconds in
    /// `Retry-After` before the next attempt.
    #[oai(path = "/login", method = "post", operation_id = "login")]
    async fn login(
        &self,
        app: RunningApp,
        client: ClientInfo,
        body: Json<LoginRequest>,
    ) -> Result<LoginResponse, ProblemResponse<LoginError>> {
        let attempt = LoginAttempt { username: body.0.username.0, password: body.0.password.0, client: client.0 };
        let tokens = login(&app, attempt).await?;
        Ok(LoginResponse::LoggedIn(Json(tokens.into())))
    }

    /// Refresh tokens
    ///
    /// Exchanges the current refresh token of a session for a new access token and a new refresh token. The current
    /// refresh token is the one from the latest login or refresh response. Store the new refresh token in its place.
    ///
    /// If a response is lost, send the same token again. Within the grace period (30 seconds by default), it returns
    /// the same successor, as long as the successor has not been used. Several tabs can therefore refresh at once.
    ///
    /// An older refresh token may have been stolen. It returns `invalid_token`, and its session is revoked: the user
    /// must log in again.
    #[oai(path = "/token/refresh", method = "post", operation_id = "refreshToken")]
    async fn refresh(
        &self,
        app: RunningApp,
        client: ClientInfo,
        body: Json<RefreshTokenRequest>,
    ) -> Result<RefreshResponse, ProblemResponse<RefreshError>> {
        let tokens = refresh(&app, &body.0.refresh_token.0, &client.0).await?;
        Ok(RefreshResponse::Refreshed(Json(tokens.into())))
    }

    /// Revoke a refresh token
    ///
    /// Revokes the session of a refresh token. The request needs no access token.
    ///
    /// A refresh token that is invalid, or whose session has expired or been revoked, returns 204 as well (RFC 7009).
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

/// Returns a lifetime in whole seconds, at least 1, because a valid token never expires in 0 seconds.
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
        InvalidToken => InvalidToken,
            detail: "The refresh token is invalid, expired or already used, or its session was revoked. Log in again.";
    }
    Service => [TooManyRequests, Unavailable]
}
