//! `POST /login`

use poem_openapi::{ApiResponse, Object, OpenApi};

use super::token::TokenResponse;
use crate::{
    api::{
        declaration::{DeclaredApi, Tag},
        extract::{ClientInfo, State},
        problems::problems,
        schema::{CurrentPassword, Json, LoginIdentifier, ProblemResponse},
    },
    domain::auth::login::{LoginAttempt, LoginError, login},
};

#[derive(Default)]
pub(crate) struct LoginApi;

impl DeclaredApi for LoginApi {}

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
        app: State,
        client: ClientInfo,
        body: Json<LoginRequest>,
    ) -> Result<LoginResponse, ProblemResponse<LoginError>> {
        let attempt = LoginAttempt { username: body.0.username.0, password: body.0.password.0, client: client.0 };
        let tokens = login(&app, attempt).await?;
        Ok(LoginResponse::SignedIn(Json(tokens.into())))
    }
}

problems! {
    LoginError {
        InvalidCredentials => InvalidCredentials;
    }
    Service => [TooManyRequests, Busy, Unavailable]
}
