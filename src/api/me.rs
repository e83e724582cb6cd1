//! `/me`: the caller's own account.

use poem_openapi::{ApiResponse, Object, OpenApi};

use super::{
    Tag,
    bearer::Bearer,
    json::Json,
    types::{Instant, UserIdText},
};
use crate::domain::user::User;

pub(crate) struct MeApi;

/// An account.
#[derive(Object)]
pub(super) struct UserResponse {
    /// The account's identifier; it never changes.
    id: UserIdText,
    /// The user name as it was registered.
    username: String,
    /// When it was registered.
    created_at: Instant,
}

#[derive(ApiResponse)]
enum MeResponse {
    /// The account of the token.
    #[oai(status = 200)]
    Me(Json<UserResponse>),
}

#[OpenApi(tag = "Tag::Account")]
impl MeApi {
    /// See your own account
    ///
    /// Answers the account to which the access token belongs.
    #[oai(path = "/me", method = "get", operation_id = "getMe")]
    #[expect(clippy::unused_async, reason = "handlers are async")]
    async fn get(&self, caller: Bearer) -> MeResponse {
        MeResponse::Me(Json(caller.0.user.into()))
    }
}

impl From<User> for UserResponse {
    fn from(user: User) -> Self {
        Self { id: UserIdText(user.id), username: user.username, created_at: Instant(user.created_at) }
    }
}
