//! The sessions of the signed-in user: listing and revoking them, and signing out.

use poem_openapi::{ApiResponse, Object, OpenApi, param::Path};

use super::{
    declaration::Tag,
    extract::{Authenticated, ClientInfo, RunningApp},
    problems::problems,
    schema::{Json, ProblemResponse, SessionIdString, TimestampString},
};
use crate::{
    domain::auth::sessions::{RevokeSessionError, SessionInfo, list_sessions, log_out, revoke_all_others, revoke_one},
    error::ServiceError,
};

#[derive(Default)]
pub(crate) struct SessionsApi;

/// The operations that may revoke the session of the request's access token, by `operationId`. The document marks them
/// with `x-ends-session`.
pub(super) const ENDS_SESSION: [&str; 2] = ["logout", "endSession"];

#[derive(ApiResponse)]
enum LogoutResponse {
    /// Signed out.
    #[oai(status = 204)]
    SignedOut,
}

/// The sessions of an account.
#[derive(Object)]
struct SessionsResponse {
    /// The live sessions, the last used first.
    items: Vec<SessionResponse>,
}

/// A live session.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct SessionResponse {
    /// The session's identifier; its access tokens carry it as `sid`.
    id: SessionIdString,
    /// When the account signed in.
    created_at: TimestampString,
    /// When the session was last signed into or renewed.
    last_used_at: TimestampString,
    /// The network address that did so.
    address: String,
    /// What the client called itself in `User-Agent`, if anything.
    user_agent: Option<String>,
    /// Whether this is the session of the access token that asks.
    current: bool,
}

#[derive(ApiResponse)]
enum ListResponse {
    /// The sessions.
    #[oai(status = 200)]
    Sessions(Json<SessionsResponse>),
}

#[derive(ApiResponse)]
enum RevokeResponse {
    /// Ended.
    #[oai(status = 204)]
    Revoked,
}

#[OpenApi(tag = "Tag::Sessions")]
impl SessionsApi {
    /// Sign out
    ///
    /// Ends the session of the access token. From the next request on, neither this token nor the session's refresh
    /// token is accepted here; services that verify tokens by themselves accept the access token until it expires.
    #[oai(path = "/logout", method = "post", operation_id = "logout")]
    async fn logout(
        &self,
        caller: Authenticated,
        app: RunningApp,
        client: ClientInfo,
    ) -> Result<LogoutResponse, ProblemResponse<ServiceError>> {
        log_out(&app, &caller.0, &client.0).await?;
        Ok(LogoutResponse::SignedOut)
    }

    /// List your sessions
    ///
    /// Answers where the account is signed in: at most 100 sessions, one for each login that has not ended. One login
    /// more ends the oldest.
    #[oai(path = "/me/sessions", method = "get", operation_id = "listSessions")]
    async fn list(
        &self,
        caller: Authenticated,
        app: RunningApp,
    ) -> Result<ListResponse, ProblemResponse<ServiceError>> {
        let items = list_sessions(&app, &caller.0).await?.into_iter().map(SessionResponse::from).collect();
        Ok(ListResponse::Sessions(Json(SessionsResponse { items })))
    }

    /// Sign out everywhere else
    ///
    /// Ends all sessions of the account but the one of the access token.
    #[oai(path = "/me/sessions", method = "delete", operation_id = "endOtherSessions")]
    async fn revoke_others(
        &self,
        caller: Authenticated,
        app: RunningApp,
        client: ClientInfo,
    ) -> Result<RevokeResponse, ProblemResponse<ServiceError>> {
        revoke_all_others(&app, &caller.0, &client.0).await?;
        Ok(RevokeResponse::Revoked)
    }

    /// End one session
    ///
    /// Ends one of the account's sessions; the one of the access token may be it. Sessions of others and unknown ones
    /// get the same answer.
    #[oai(path = "/me/sessions/:session_id", method = "delete", operation_id = "endSession")]
    async fn revoke_one(
        &self,
        caller: Authenticated,
        app: RunningApp,
        client: ClientInfo,
        /// The session's identifier, as the list of sessions has it.
        session_id: Path<SessionIdString>,
    ) -> Result<RevokeResponse, ProblemResponse<RevokeSessionError>> {
        revoke_one(&app, &caller.0, &client.0, session_id.0.0).await?;
        Ok(RevokeResponse::Revoked)
    }
}

impl From<SessionInfo> for SessionResponse {
    fn from(session: SessionInfo) -> Self {
        Self {
            id: SessionIdString(session.id),
            created_at: TimestampString(session.created_at),
            last_used_at: TimestampString(session.last_used_at),
            address: session.client_ip,
            user_agent: session.user_agent,
            current: session.is_current,
        }
    }
}

problems! {
    RevokeSessionError {
        NotFound => NotFound;
    }
    Service => [Unavailable]
}
