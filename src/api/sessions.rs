//! The sessions of the authenticated user: list, revoke, log out.

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
    /// The session was revoked.
    #[oai(status = 204)]
    LoggedOut,
}

/// The active sessions of a user.
#[derive(Object)]
struct SessionsResponse {
    /// The sessions, most recently used first.
    items: Vec<SessionResponse>,
}

/// An active session: one that has neither expired nor been revoked.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct SessionResponse {
    /// The identifier of the session. Its access tokens contain it as the claim `sid`.
    id: SessionIdString,
    /// When the user logged in.
    created_at: TimestampString,
    /// When the session was created or last refreshed.
    last_used_at: TimestampString,
    /// The IP address of the client that created or last refreshed the session.
    address: String,
    /// The `User-Agent` of that client, cut off after 256 characters. Absent if the client sent none.
    user_agent: Option<String>,
    /// Whether it is the session of the access token in this request.
    current: bool,
}

#[derive(ApiResponse)]
enum ListResponse {
    /// The active sessions.
    #[oai(status = 200)]
    Sessions(Json<SessionsResponse>),
}

#[derive(ApiResponse)]
enum RevokeResponse {
    /// The revocation succeeded.
    #[oai(status = 204)]
    Revoked,
}

#[OpenApi(tag = "Tag::Sessions")]
impl SessionsApi {
    /// Log out
    ///
    /// Revokes the session of the access token. From the next request on, this service rejects the access token and the
    /// refresh token of the session. Services that verify access tokens with the public keys accept the access token
    /// until it expires.
    #[oai(path = "/logout", method = "post", operation_id = "logout")]
    async fn logout(
        &self,
        caller: Authenticated,
        app: RunningApp,
        client: ClientInfo,
    ) -> Result<LogoutResponse, ProblemResponse<ServiceError>> {
        log_out(&app, &caller.0, &client.0).await?;
        Ok(LogoutResponse::LoggedOut)
    }

    /// List sessions
    ///
    /// Returns the active sessions of the authenticated user, most recently used first.
    ///
    /// Each login opens a session. A user has at most 100 active sessions, or fewer if the operator has set a lower
    /// limit. A login beyond the limit revokes the oldest session.
    #[oai(path = "/me/sessions", method = "get", operation_id = "listSessions")]
    async fn list(
        &self,
        caller: Authenticated,
        app: RunningApp,
    ) -> Result<ListResponse, ProblemResponse<ServiceError>> {
        let items = list_sessions(&app, &caller.0).await?.into_iter().map(SessionResponse::from).collect();
        Ok(ListResponse::Sessions(Json(SessionsResponse { items })))
    }

    /// Revoke all other sessions
    ///
    /// Revokes all sessions of the authenticated user except the session of the access token.
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

    /// Revoke a session
    ///
    /// Revokes one session of the authenticated user. It may be the session of the access token. An unknown session and
    /// a session of another user both return `not_found`.
    #[oai(path = "/me/sessions/:session_id", method = "delete", operation_id = "endSession")]
    async fn revoke_one(
        &self,
        caller: Authenticated,
        app: RunningApp,
        client: ClientInfo,
        /// The identifier of the session, from `GET /me/sessions`.
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
