//! Users: registration, reading the signed-in user, and password change.

use poem_openapi::{ApiResponse, Object, OpenApi};

use super::{
    declaration::{Link, Tag},
    extract::{Authenticated, ClientInfo, RunningApp},
    problems::problems,
    schema::{
        CurrentPassword, FieldError, Json, NewPassword, ProblemResponse, TimestampString, UserIdString, Username,
    },
};
use crate::domain::{
    auth::{
        change_password::{ChangePasswordError, change_password},
        register::{RegisterError, register},
    },
    user::User,
};

#[derive(Default)]
pub(crate) struct AccountApi;

/// Leads from registration to login.
pub(super) const SIGN_IN: Link = Link {
    name: "signIn",
    description: "The new account can sign in with what it was registered with.",
    from: "register",
    status: 201,
    to: "login",
    request_body: "$request.body",
};

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

/// An account.
#[derive(Object)]
struct UserResponse {
    /// The account's identifier; it never changes.
    id: UserIdString,
    /// The user name as it was registered.
    username: String,
    /// When it was registered.
    created_at: TimestampString,
}

#[derive(ApiResponse)]
enum GetUserResponse {
    /// The account of the token.
    #[oai(status = 200)]
    User(Json<UserResponse>),
}

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
impl AccountApi {
    /// Make an account
    ///
    /// Registers a user name with a password. Nobody is signed in by it: go on with the login. An operator can close
    /// registration; then only operators make accounts.
    #[oai(path = "/register", method = "post", operation_id = "register")]
    async fn register(
        &self,
        app: RunningApp,
        client: ClientInfo,
        body: Json<RegisterRequest>,
    ) -> Result<RegisterResponse, ProblemResponse<RegisterError>> {
        let RegisterRequest { username, password } = body.0;
        let user = register(&app, &username.0, &password.0, &client.0).await?;
        Ok(RegisterResponse::Created(Json(user.into()), "/me".to_owned()))
    }

    /// See your own account
    ///
    /// Answers the account to which the access token belongs.
    #[oai(path = "/me", method = "get", operation_id = "getMe")]
    #[expect(clippy::unused_async, reason = "handlers are async")]
    async fn get_user(&self, caller: Authenticated) -> GetUserResponse {
        GetUserResponse::User(Json(caller.0.user.into()))
    }

    /// Change your password
    ///
    /// Sets a new password for those who know the current one. All other sessions of the account end; the one of the
    /// access token goes on.
    #[oai(path = "/me/password", method = "post", operation_id = "changePassword")]
    async fn change_password(
        &self,
        caller: Authenticated,
        app: RunningApp,
        client: ClientInfo,
        body: Json<ChangePasswordRequest>,
    ) -> Result<ChangePasswordResponse, ProblemResponse<ChangePasswordError>> {
        let ChangePasswordRequest { current_password, new_password } = body.0;
        change_password(&app, &caller.0, &client.0, &current_password.0, &new_password.0).await?;
        Ok(ChangePasswordResponse::Changed)
    }
}

problems! {
    RegisterError {
        Closed => RegistrationClosed;
        UsernameTaken => UsernameTaken;
        PasswordRejected(weakness) => PasswordRejected,
            errors: [FieldError::weak_password("/password", weakness)];
    }
    Service => [TooManyRequests, Busy, Unavailable]
}

impl From<User> for UserResponse {
    fn from(user: User) -> Self {
        Self { id: UserIdString(user.id), username: user.username, created_at: TimestampString(user.created_at) }
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
