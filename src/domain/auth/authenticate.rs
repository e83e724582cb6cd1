//! The authentication of requests by access token.

use crate::{
    domain::{app::App, session::find_live_session, token::access, user::User},
    error::ServiceError,
    ids::{SessionId, UserId},
    secret::AccessToken,
};

/// The caller of an operation: an active user in a live session.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user.
    pub user: User,
    /// The session.
    pub session: SessionId,
}

/// Why an authentication fails.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticateError {
    /// The token is invalid, its session was revoked or has expired, or its user is disabled.
    #[error("the access token is invalid")]
    InvalidToken,
    /// The error that every use case shares.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// Returns the caller that an access token belongs to. Reads session and user from the database each time, so that a
/// revocation takes effect with the next request.
pub async fn authenticate(app: &App, token: &AccessToken) -> Result<Caller, AuthenticateError> {
    let now = app.clock.now();
    let subject = access::verify(&app.keyring.current(), &app.tokens, token, now);
    let subject = subject.map_err(|_| AuthenticateError::InvalidToken)?;

    let live = find_live_session(&app.db, subject.session, now).await?;
    let (_, user) = live.filter(|(_, user)| user.id == subject.user).ok_or(AuthenticateError::InvalidToken)?;

    add_identity_to_span(user.id, subject.session);
    Ok(Caller { user: user.into(), session: subject.session })
}

/// Adds the user and the session to the span of the request, for its log line and its trace.
pub(super) fn add_identity_to_span(user: UserId, session: SessionId) {
    let span = tracing::Span::current();
    span.record("user.id", tracing::field::display(user));
    span.record("session.id", tracing::field::display(session));
}
