//! `POST /me/password`

use poem_openapi::{ApiResponse, Object, OpenApi};

use crate::{
    api::{
        declaration::{DeclaredApi, Tag},
        extract::{Bearer, ClientInfo, State},
        problems::problems,
        schema::{CurrentPassword, FieldError, Json, NewPassword, ProblemResponse},
    },
    domain::auth::change_password::{ChangePasswordError, change_password},
};

#[derive(Default)]
pub(crate) struct PasswordApi;

impl DeclaredApi for PasswordApi {}

/// A new password, and the one that it replaces.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct ChangePasswordRequest {
    /// The password that the account has now.
    current_password: CurrentPassword,
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
    ) -> Result<ChangePasswordResponse, ProblemResponse<ChangePasswordError>> {
        let ChangePasswordRequest { current_password, new_password } = body.0;
        change_password(&app, &caller.0, &client.0, &current_password.0, &new_password.0).await?;
        Ok(ChangePasswordResponse::Changed)
    }
}

problems! {
    ChangePasswordError {
        InvalidCredentials => InvalidCredentials, detail: "The current password is not right.";
        InvalidToken => InvalidToken;
        PasswordRejected(weakness) => PasswordRejected,
            errors: [FieldError::weak_password("/new_password", weakness)];
    }
    Service => [TooManyRequests, Busy, Unavailable]
}
