//! `POST /login`

use poem_openapi::{ApiResponse, Object, OpenApi};

use super::{
    Tag,
    client::ClientInfo,
    json::Json,
    problem::{Problem, ProblemCode},
    refused::{Refusal, Refused},
    state::State,
    token::TokenResponse,
    types::{LoginName, LoginPassword},
};
use crate::domain::auth::login::{self, LoginAttempt, LoginError};

pub(crate) struct LoginApi;

/// A name and its password.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct LoginRequest {
    /// The user name, in any spelling.
    username: LoginName,
    /// The password.
    password: LoginPassword,
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
    ) -> Result<LoginResponse, Refused<LoginError>> {
        let tokens = login::login(&app, &attempt(body.0, client)).await?;
        Ok(LoginResponse::SignedIn(Json(tokens.into())))
    }
}

fn attempt(request: LoginRequest, client: ClientInfo) -> LoginAttempt {
    LoginAttempt { username: request.username.0, password: request.password.0, client: client.0 }
}

impl Refusal for LoginError {
    const CODES: &'static [ProblemCode] =
        &[ProblemCode::InvalidCredentials, ProblemCode::TooManyRequests, ProblemCode::Busy, ProblemCode::Unavailable];
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::InvalidCredentials => Self::new(ProblemCode::InvalidCredentials),
            LoginError::Service(error) => error.into(),
        }
    }
}
