//! `POST /register`

use poem_openapi::{ApiResponse, Object, OpenApi};

use super::{
    Tag,
    client::ClientInfo,
    json::Json,
    me::UserResponse,
    password::rejected,
    problem::{Problem, ProblemCode},
    refused::{Refusal, Refused},
    state::State,
    types::{NewPassword, Username},
};
use crate::domain::{auth::register::register, user::RegisterError};

pub(crate) struct RegisterApi;

/// The account to be made.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct RegisterRequest {
    /// Letters and digits of one or several scripts, which single dots, underscores or hyphens may join. It is shown
    /// as it is sent here; names that differ only in case are one name.
    username: Username,
    /// At least 8 characters, any of Unicode. It must not be the user name or one of the commonest passwords.
    password: NewPassword,
}

#[derive(ApiResponse)]
enum RegisterResponse {
    /// The account was made.
    #[oai(status = 201)]
    Created(
        Json<UserResponse>,
        /// Where the account can be seen, once signed in.
        #[oai(header = "Location")]
        String,
    ),
}

#[OpenApi(tag = "Tag::Account")]
impl RegisterApi {
    /// Make an account
    ///
    /// Registers a user name with a password. Nobody is signed in by it: go on with the login. An operator can close
    /// registration; then only operators make accounts.
    #[oai(path = "/register", method = "post", operation_id = "register")]
    async fn register(
        &self,
        app: State,
        client: ClientInfo,
        body: Json<RegisterRequest>,
    ) -> Result<RegisterResponse, Refused<RegisterError>> {
        let RegisterRequest { username, password } = body.0;
        let user = register(&app, &username.0, &password.0, &client.0).await?;
        Ok(RegisterResponse::Created(Json(user.into()), "/me".to_owned()))
    }
}

impl Refusal for RegisterError {
    const CODES: &'static [ProblemCode] = &[
        ProblemCode::RegistrationClosed,
        ProblemCode::UsernameTaken,
        ProblemCode::PasswordRejected,
        ProblemCode::TooManyRequests,
        ProblemCode::Busy,
        ProblemCode::Unavailable,
    ];
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Closed => Self::new(ProblemCode::RegistrationClosed),
            RegisterError::UsernameTaken => Self::new(ProblemCode::UsernameTaken),
            RegisterError::PasswordRejected(weakness) => rejected("/password", weakness),
            RegisterError::Service(error) => error.into(),
        }
    }
}
