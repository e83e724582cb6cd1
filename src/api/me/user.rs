//! `/me`: the signed-in user.

use poem_openapi::{ApiResponse, Object, OpenApi};

use crate::{
    api::{
        declaration::{DeclaredApi, Tag},
        extract::Bearer,
        schema::{Json, TimestampString, UserIdString},
    },
    domain::user::User,
};

#[derive(Default)]
pub(crate) struct UserApi;

impl DeclaredApi for UserApi {}

/// An account.
#[derive(Object)]
pub(crate) struct UserResponse {
    /// The account's identifier; it never changes.
    id: UserIdString,
    /// The user name as it was registered.
    username: String,
    /// When it was registered.
    created_at: TimestampString,
}

#[derive(ApiResponse)]
enum GetResponse {
    /// The account of the token.
    #[oai(status = 200)]
    User(Json<UserResponse>),
}

#[OpenApi(tag = "Tag::Account")]
impl UserApi {
    /// See your own account
    ///
    /// Answers the account to which the access token belongs.
    #[oai(path = "/me", method = "get", operation_id = "getMe")]
    #[expect(clippy::unused_async, reason = "handlers are async")]
    async fn get(&self, caller: Bearer) -> GetResponse {
        GetResponse::User(Json(caller.0.user.into()))
    }
}

impl From<User> for UserResponse {
    fn from(user: User) -> Self {
        Self { id: UserIdString(user.id), username: user.username, created_at: TimestampString(user.created_at) }
    }
}
