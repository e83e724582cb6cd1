//! `POST /logout`

use poem_openapi::{ApiResponse, OpenApi};

use crate::{
    api::{
        declaration::{DeclaredApi, Tag},
        extract::{Bearer, ClientInfo, State},
        schema::ProblemResponse,
    },
    domain::auth::sessions::log_out,
    error::ServiceError,
};

#[derive(Default)]
pub(crate) struct LogoutApi;

impl DeclaredApi for LogoutApi {
    const ENDS_SESSION: &'static [&'static str] = &["logout"];
}

#[derive(ApiResponse)]
enum LogoutResponse {
    /// Signed out.
    #[oai(status = 204)]
    SignedOut,
}

#[OpenApi(tag = "Tag::Sessions")]
impl LogoutApi {
    /// Sign out
    ///
    /// Ends the session of the access token. From the next request on, neither this token nor the session's refresh
    /// token is accepted here; services that verify tokens by themselves accept the access token until it expires.
    #[oai(path = "/logout", method = "post", operation_id = "logout")]
    async fn logout(
        &self,
        caller: Bearer,
        app: State,
        client: ClientInfo,
    ) -> Result<LogoutResponse, ProblemResponse<ServiceError>> {
        log_out(&app, &caller.0, &client.0).await?;
        Ok(LogoutResponse::SignedOut)
    }
}
