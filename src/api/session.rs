//! `/logout` and `/me/sessions`: the caller's sessions.

use poem_openapi::{ApiResponse, Object, OpenApi, param::Path};

use super::{
    Tag,
    bearer::Bearer,
    client::ClientInfo,
    json::Json,
    problem::{Problem, ProblemCode},
    refused::{Refusal, Refused},
    state::State,
    types::{Instant, SessionIdText},
};
use crate::{
    domain::auth::sessions::{self, RevokeSessionError, SessionInfo},
    error::ServiceError,
};

pub(crate) struct SessionApi;

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
    id: SessionIdText,
    /// When the account signed in.
    created_at: Instant,
    /// When the session was last signed into or renewed.
    last_used_at: Instant,
    /// The network address that did so.
    address: String,
    /// What the client called itself in `User-Agent`, if anything.
    user_agent: Option<String>,
    /// Whether this is the session of the access token that asks.
    current: bool,
}

#[derive(ApiResponse)]
enum SessionsAnswer {
    /// The sessions.
    #[oai(status = 200)]
    Sessions(Json<SessionsResponse>),
}

#[derive(ApiResponse)]
enum LogoutResponse {
    /// Signed out.
    #[oai(status = 204)]
    SignedOut,
}

#[derive(ApiResponse)]
enum EndResponse {
    /// Ended.
    #[oai(status = 204)]
    Ended,
}

#[OpenApi(tag = "Tag::Sessions")]
impl SessionApi {
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
    ) -> Result<LogoutResponse, Refused<ServiceError>> {
        sessions::log_out(&app, &caller.0, &client.0).await?;
        Ok(LogoutResponse::SignedOut)
    }

    /// List your sessions
    ///
    /// Answers where the account is signed in: at most 100 sessions, one for each login that has not ended. One login
    /// more ends the oldest.
    #[oai(path = "/me/sessions", method = "get", operation_id = "listSessions")]
    async fn list(&self, caller: Bearer, app: State) -> Result<SessionsAnswer, Refused<ServiceError>> {
        let items = sessions::list_sessions(&app, &caller.0).await?.into_iter().map(SessionResponse::from).collect();
        Ok(SessionsAnswer::Sessions(Json(SessionsResponse { items })))
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
    ) -> Result<EndResponse, Refused<ServiceError>> {
        sessions::revoke_all_others(&app, &caller.0, &client.0).await?;
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
        session_id: Path<SessionIdText>,
    ) -> Result<EndResponse, Refused<RevokeSessionError>> {
        sessions::revoke_one(&app, &caller.0, &client.0, session_id.0.0).await?;
        Ok(EndResponse::Ended)
    }
}

impl From<SessionInfo> for SessionResponse {
    fn from(session: SessionInfo) -> Self {
        Self {
            id: SessionIdText(session.id),
            created_at: Instant(session.created_at),
            last_used_at: Instant(session.last_used_at),
            address: session.client_ip,
            user_agent: session.user_agent,
            current: session.is_current,
        }
    }
}

impl Refusal for RevokeSessionError {
    const CODES: &'static [ProblemCode] = &[ProblemCode::NotFound, ProblemCode::Unavailable];
}

impl From<RevokeSessionError> for Problem {
    fn from(error: RevokeSessionError) -> Self {
        match error {
            RevokeSessionError::NotFound => Self::new(ProblemCode::NotFound),
            RevokeSessionError::Service(error) => error.into(),
        }
    }
}
