//! `POST /login`

use poem_openapi::{ApiResponse, Object, OpenApi};

use super::{
    State, Tag,
    client::ClientInfo,
    json::Json,
    problem::{Problem, ProblemCode},
    refused::{Refusal, Refused},
    types::{AccessTokenText, LoginName, LoginPassword},
};
use crate::domain::login::{self, Attempt, LoginError, SignedIn};

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

/// Tokens of a new session.
#[derive(Object)]
struct TokenResponse {
    /// Opens every operation that asks for a token; a JWT of RFC 9068's profile.
    access_token: AccessTokenText,
    /// How the token is presented: always `Bearer`.
    token_type: String,
    /// How many seconds the token is valid.
    #[oai(validator(minimum(value = "1"), maximum(value = "3600")))]
    expires_in: i64,
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
    /// Answers an access token for a user name and its password. Send the token as `Authorization: Bearer` to the
    /// operations that need one. An unknown name, a wrong password and a disabled account get the same answer.
    #[oai(path = "/login", method = "post", operation_id = "login")]
    async fn login(
        &self,
        app: State<'_>,
        client: ClientInfo,
        body: Json<LoginRequest>,
    ) -> Result<LoginResponse, Refused<LoginError>> {
        let signed_in = login::with_password(&app, attempt(body.0, client)).await?;
        Ok(signed_in.into())
    }
}

fn attempt(request: LoginRequest, client: ClientInfo) -> Attempt {
    Attempt { username: request.username.0, password: request.password.0, client: client.0 }
}

impl From<SignedIn> for LoginResponse {
    fn from(signed_in: SignedIn) -> Self {
        Self::SignedIn(Json(TokenResponse {
            access_token: AccessTokenText(signed_in.access_token),
            token_type: "Bearer".to_owned(),
            expires_in: i64::try_from(signed_in.expires_in.as_secs()).unwrap_or(i64::MAX),
        }))
    }
}

impl Refusal for LoginError {
    const CODES: &'static [ProblemCode] =
        &[ProblemCode::InvalidCredentials, ProblemCode::Busy, ProblemCode::Unavailable];
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::InvalidCredentials => Self::new(ProblemCode::InvalidCredentials),
            LoginError::Fault(fault) => fault.into(),
        }
    }
}
