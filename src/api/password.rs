//! `/me/password`: the caller's own password.

use poem_openapi::{ApiResponse, Object, OpenApi};

use super::{
    Tag,
    bearer::Bearer,
    client::ClientInfo,
    json::Json,
    problem::{FieldError, Problem, ProblemCode},
    refused::{Refusal, Refused},
    state::State,
    types::{LoginPassword, NewPassword},
};
use crate::domain::{
    auth::change_password::{ChangePasswordError, change_password},
    password::Weakness,
};

pub(crate) struct PasswordApi;

/// A new password, and the one that it replaces.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct ChangePasswordRequest {
    /// The password that the account has now.
    current_password: LoginPassword,
    /// At least 8 characters, any of Unicode. It must not be the user name or one of the commonest passwords.
    new_password: NewPassword,
}

#[derive(ApiResponse)]
enum ChangePasswordResponse {
    /// The account has the new password.
    #[oai(status = 204)]
    Changed,
}

#[OpenApi(tag = "Tag::Account")]
impl PasswordApi {
    /// Change your password
    ///
    /// Sets a new password for those who know the current one. All other sessions of the account end; the one of the
    /// access token goes on.
    #[oai(path = "/me/password", method = "post", operation_id = "changePassword")]
    async fn change(
        &self,
        caller: Bearer,
        app: State,
        client: ClientInfo,
        body: Json<ChangePasswordRequest>,
    ) -> Result<ChangePasswordResponse, Refused<ChangePasswordError>> {
        let ChangePasswordRequest { current_password, new_password } = body.0;
        change_password(&app, &caller.0, &client.0, &current_password.0, &new_password.0).await?;
        Ok(ChangePasswordResponse::Changed)
    }
}

impl Refusal for ChangePasswordError {
    const CODES: &'static [ProblemCode] = &[
        ProblemCode::InvalidCredentials,
        ProblemCode::InvalidToken,
        ProblemCode::TooManyRequests,
        ProblemCode::PasswordRejected,
        ProblemCode::Busy,
        ProblemCode::Unavailable,
    ];
}

impl From<ChangePasswordError> for Problem {
    fn from(error: ChangePasswordError) -> Self {
        match error {
            ChangePasswordError::InvalidCredentials => {
                Self::new(ProblemCode::InvalidCredentials).with_detail("The current password is not right.")
            }
            ChangePasswordError::InvalidToken => Self::new(ProblemCode::InvalidToken),
            ChangePasswordError::PasswordRejected(weakness) => rejected("/new_password", weakness),
            ChangePasswordError::Service(error) => error.into(),
        }
    }
}

/// The problem of a password that breaks the policy.
pub(super) fn rejected(pointer: &str, weakness: Weakness) -> Problem {
    let code = match weakness {
        Weakness::TooShort(_) => "too_short",
        Weakness::TooLong => "too_long",
        Weakness::Common => "common",
        Weakness::SameAsName => "same_as_username",
    };
    let error = FieldError { pointer: pointer.to_owned(), code: code.to_owned(), detail: weakness.to_string() };
    Problem::new(ProblemCode::PasswordRejected).with_errors(vec![error])
}
