//! `/me`: the signed-in user.

use poem_openapi::{ApiResponse, Object, OpenApi};

use crate::{
    api::{
        declaration::{DeclaredApi, Tag},
        extract::Bearer,
        schema::{Json, TimestampString, UserIdString},
    },
    domain::account::Account,
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
        GetResponse::User(Json(caller.0.account.into()))
    }
}

impl From<Account> for UserResponse {
    fn from(account: Account) -> Self {
        Self {
            id: UserIdString(account.id),
            username: account.username,
            created_at: TimestampString(account.created_at),
        }
    }
}
