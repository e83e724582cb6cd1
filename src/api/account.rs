//! Users: register, get the authenticated user, change the password.

use poem_openapi::{ApiResponse, Object, OpenApi};

use super::{
    declaration::{Link, Tag},
    extract::{Authenticated, BasePath, ClientInfo, RunningApp},
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

/// The link from registration to login.
pub(super) const LOG_IN: Link = Link {
    name: "signIn",
    description: "Logs in as the new user, with the request body of the registration.",
    from: "register",
    status: 201,
    to: "login",
    request_body: "$request.body",
};

/// A user to create.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct RegisterRequest {
    /// The username: 1 to 80 characters. It consists of letters and digits, which single dots, underscores or hyphens
    /// may separate. It may contain Chinese, Japanese and Korean letters beside those of one alphabet (Latin, Greek,
    /// Cyrillic, Armenian or Georgian). The service displays the username as sent here, in Unicode normalization form C.
    /// Usernames that differ only in case are the same.
    username: Username,
    /// The password: 8 to 256 characters, any of Unicode. The operator may have set a higher minimum. It must not be
    /// the username or one of the most common passwords.
    password: NewPassword,
}

#[derive(ApiResponse)]
enum RegisterResponse {
    /// The user was created.
    #[oai(status = 201)]
    Created(
        Json<UserResponse>,
        /// The path of the new user: `/me` below the path of the server's URL. It requires an access token.
        #[oai(header = "Location")]
        String,
    ),
}

/// A user.
#[derive(Object)]
struct UserResponse {
    /// The identifier of the user. It never changes.
    id: UserIdString,
    /// The username, as it was registered.
    username: String,
    /// When the user was created.
    created_at: TimestampString,
}

#[derive(ApiResponse)]
enum GetUserResponse {
    /// The authenticated user.
    #[oai(status = 200)]
    User(Json<UserResponse>),
}

/// A password change.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct ChangePasswordRequest {
    /// The current password.
    current_password: CurrentPassword,
    /// The new password: 8 to 256 characters, any of Unicode. The operator may have set a higher minimum. It must not
    /// be the username or one of the most common passwords.
    new_password: NewPassword,
}

#[derive(ApiResponse)]
enum ChangePasswordResponse {
    /// The password was changed.
    #[oai(status = 204)]
    Changed,
}

#[OpenApi(tag = "Tag::Account")]
impl AccountApi {
    /// Register a user
    ///
    /// Creates a user with a username and a password. The response contains no tokens: log in with `POST /login`.
    ///
    /// A username that is taken or reserved returns `username_taken`. A password that violates the password policy
    /// returns `password_rejected`, with the reason in `errors`. If the operator has disabled registration, every
    /// request returns `registration_closed`.
    #[oai(path = "/register", method = "post", operation_id = "register")]
    async fn register(
        &self,
        app: RunningApp,
        base_path: BasePath,
        client: ClientInfo,
        body: Json<RegisterRequest>,
    ) -> Result<RegisterResponse, ProblemResponse<RegisterError>> {
        let RegisterRequest { username, password } = body.0;
        let user = register(&app, &username.0, &password.0, &client.0).await?;
        Ok(RegisterResponse::Created(Json(user.into()), base_path.join("/me")))
    }

    /// Get the authenticated user
    ///
    /// Returns the user that the access token belongs to.
    #[oai(path = "/me", method = "get", operation_id = "getMe")]
    #[expect(clippy::unused_async, reason = "handlers are async")]
    async fn get_user(&self, caller: Authenticated) -> GetUserResponse {
        GetUserResponse::User(Json(caller.0.user.into()))
    }

    /// Change the password
    ///
    /// Sets a new password for the authenticated user and revokes all other sessions of the user. The session of the
    /// access token stays active.
    ///
    /// The request must contain the current password. A wrong one returns `invalid_credentials` and counts as a failed
    /// login attempt. A new password that violates the password policy returns `password_rejected`, with the reason in
    /// `errors`.
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
        UsernameRejected(reason) => UsernameTaken,
            errors: [FieldError::new("/username", "wrong_form", reason.to_string())];
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
        InvalidCredentials => InvalidCredentials, detail: "The current password is incorrect.";
        InvalidToken => InvalidToken;
        PasswordRejected(weakness) => PasswordRejected,
            errors: [FieldError::weak_password("/new_password", weakness)];
    }
    Service => [TooManyRequests, Busy, Unavailable]
}
