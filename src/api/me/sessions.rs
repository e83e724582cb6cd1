//! `/me/sessions`: the sessions of the signed-in user.

use poem_openapi::{ApiResponse, Object, OpenApi, param::Path};

use crate::{
    api::{
        declaration::{DeclaredApi, Tag},
        extract::{Bearer, ClientInfo, State},
        problems::problems,
        schema::{Json, ProblemResponse, SessionIdString, TimestampString},
    },
    domain::auth::sessions::{RevokeSessionError, SessionInfo, list_sessions, revoke_all_others, revoke_one},
    error::ServiceError,
};

#[derive(Default)]
pub(crate) struct SessionsApi;

impl DeclaredApi for SessionsApi {
    const ENDS_SESSION: &'static [&'static str] = &["endSession"];
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
enum EndResponse {
    /// Ended.
    #[oai(status = 204)]
    Ended,
}

#[OpenApi(tag = "Tag::Sessions")]
impl SessionsApi {
    /// List your sessions
    ///
    /// Answers where the account is signed in: at most 100 sessions, one for each login that has not ended. One login
    /// more ends the oldest.
    #[oai(path = "/me/sessions", method = "get", operation_id = "listSessions")]
    async fn list(&self, caller: Bearer, app: State) -> Result<ListResponse, ProblemResponse<ServiceError>> {
        let items = list_sessions(&app, &caller.0).await?.into_iter().map(SessionResponse::from).collect();
        Ok(ListResponse::Sessions(Json(SessionsResponse { items })))
    }

    /// Sign out everywhere else
    ///
    /// Ends all sessions of the account but the one of the access token.
    #[oai(path = "/me/sessions", method = "delete", operation_id = "endOtherSessions")]
    async fn end_others(
        &self,
        caller: Bearer,
        app: State,
        client: ClientInfo,
    ) -> Result<EndResponse, ProblemResponse<ServiceError>> {
        revoke_all_others(&app, &caller.0, &client.0).await?;
        Ok(EndResponse::Ended)
    }

    /// End one session
    ///
    /// Ends one of the account's sessions; the one of the access token may be it. Sessions of others and unknown ones
    /// get the same answer.
    #[oai(path = "/me/sessions/:session_id", method = "delete", operation_id = "endSession")]
    async fn end_one(
        &self,
        caller: Bearer,
        app: State,
        client: ClientInfo,
        /// The session's identifier, as the list of sessions has it.
        session_id: Path<SessionIdString>,
    ) -> Result<EndResponse, ProblemResponse<RevokeSessionError>> {
        revoke_one(&app, &caller.0, &client.0, session_id.0.0).await?;
        Ok(EndResponse::Ended)
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
