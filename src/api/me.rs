//! `/me`: the caller's own account.

use poem_openapi::{ApiResponse, Object, OpenApi};

use super::{
    Tag,
    bearer::Bearer,
    json::Json,
    types::{Instant, UserIdText},
};
use crate::domain::account::Account;

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
        MeResponse::Me(Json(caller.0.account.into()))
    }
}

impl From<Account> for UserResponse {
    fn from(account: Account) -> Self {
        Self { id: UserIdText(account.id), username: account.username, created_at: Instant(account.created_at) }
    }
}
