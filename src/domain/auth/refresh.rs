//! Refresh: rotation of a session's refresh token, with reuse detection (RFC 9700 section 4.14.2).
//!
//! A session has one row and no list of refresh tokens. Its tokens are numbered, and the row holds the number of the
//! current token. A refresh with the current token makes the next token current.

use std::time::Duration;

use sea_orm::ActiveEnum as _;

use super::authenticate::add_identity_to_span;
use crate::{
    clock::Timestamp,
    domain::{
        app::App,
        audit::{Actor, Event, Kind},
        request::Client,
        session::{find_live_session, revoke_session},
        token::{
            TokenPair, issue_pair,
            refresh::{self as refresh_token, TokenContent},
        },
    },
    entity::session,
    error::ServiceError,
    metrics::{RefreshTokenMisuse as Misuse, SessionEnd},
    secret::RefreshToken,
    store::{Context as _, Transaction, write},
};

/// Why a refresh fails.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The token belongs to no live session, or is neither current nor within the grace period.
    #[error("the refresh token is invalid")]
    InvalidToken,
    /// The error that every use case shares.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// The age of an authentic token, relative to its live session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TokenAge {
    /// The current token.
    Current,
    /// The previous token, within the grace period: a response was lost, or several callers used the same token.
    WithinGracePeriod,
    /// An older token: a copy of it may have been stolen.
    Reused,
    /// A token newer than the row of its session: the row was restored from an older copy.
    OutOfSequence,
}

/// Refreshes a session with its current refresh token.
///
/// Within the grace period, the previous token returns the same successor again, so that no concurrent caller is logged
/// out. A reused or out-of-sequence token revokes the session.
pub async fn refresh(app: &App, token: &RefreshToken, client: &Client) -> Result<TokenPair, RefreshError> {
    let now = app.clock.now();
    let outcome = try_refresh(app, token, client, now).await;
    if let Err(RefreshError::InvalidToken) = outcome {
        app.limits.count_rejected_refresh(&app.db, client, now).await?;
    }
    outcome
}

/// Revokes the session of a refresh token, current or not. An invalid token is not an error (RFC 7009 section 2.2).
pub async fn revoke(app: &App, token: &RefreshToken, client: &Client) -> Result<(), ServiceError> {
    let now = app.clock.now();
    let Ok(content) = refresh_token::verify(&app.keyring.current(), token) else { return Ok(()) };
    let Some(session) = find_session(app, &content, now).await? else { return Ok(()) };

    let event = Event::success(Kind::RefreshTokenRevoked, Actor::Client(client));
    let event = event.user(Some(session.user_id)).session(session.id);
    let revoked = revoke_session(&app.db, &app.audit, session.id, event, now).await?;
    app.metrics.record_sessions_ended(SessionEnd::User, revoked.into());
    Ok(())
}

async fn try_refresh(
    app: &App,
    token: &RefreshToken,
    client: &Client,
    now: Timestamp,
) -> Result<TokenPair, RefreshError> {
    let keyring = app.keyring.current();
    let content = refresh_token::verify(&keyring, token).map_err(|_| RefreshError::InvalidToken)?;
    let session = find_session(app, &content, now).await?.ok_or(RefreshError::InvalidToken)?;
    add_identity_to_span(session.user_id, session.id);

    let session = match token_age(app, &content, &session, now) {
        TokenAge::Current => rotate_or_find_successor(app, session, &content, client, now).await?,
        TokenAge::WithinGracePeriod => session,
        TokenAge::Reused => {
            revoke_misused(app, &session, Misuse::Reused, client, now).await?;
            return Err(RefreshError::InvalidToken);
        }
        TokenAge::OutOfSequence => {
            revoke_misused(app, &session, Misuse::OutOfSequence, client, now).await?;
            return Err(RefreshError::InvalidToken);
        }
    };
    Ok(issue_pair(&keyring, &app.tokens, &session, &content.secret, now)?)
}

/// Makes the next token the current one. If a concurrent caller was faster, returns the session as that caller stored
/// it. This is not reuse, because the token was current when the request arrived.
async fn rotate_or_find_successor(
    app: &App,
    session: session::Model,
    content: &TokenContent,
    client: &Client,
    now: Timestamp,
) -> Result<session::Model, RefreshError> {
    if let Some(rotated) = rotate(app, session, client, now).await? {
        return Ok(rotated);
    }
    let session = find_session(app, content, now).await?.ok_or(RefreshError::InvalidToken)?;
    match token_age(app, content, &session, now) {
        TokenAge::WithinGracePeriod => Ok(session),
        TokenAge::Current | TokenAge::Reused | TokenAge::OutOfSequence => Err(RefreshError::InvalidToken),
    }
}

/// Returns the live session of an authentic token, if the token contains the session's secret.
async fn find_session(
    app: &App,
    content: &TokenContent,
    now: Timestamp,
) -> Result<Option<session::Model>, ServiceError> {
    let live = find_live_session(&app.db, content.session, now).await?;
    Ok(live.map(|(session, _)| session).filter(|session| session.secret_digest.matches(&content.secret)))
}

/// Returns the age of a token, relative to its session.
fn token_age(app: &App, content: &TokenContent, session: &session::Model, now: Timestamp) -> TokenAge {
    if content.counter == session.counter {
        return TokenAge::Current;
    }
    if content.counter > session.counter {
        return TokenAge::OutOfSequence;
    }
    let is_previous = content.counter.checked_add(1) == Some(session.counter);
    if is_previous && is_within_grace_period(app, session.rotated_at, app.sessions.refresh_grace_period, now) {
        TokenAge::WithinGracePeriod
    } else {
        TokenAge::Reused
    }
}

/// Returns whether a rotation is less than one grace period old.
///
/// After a step of the clock, the age of a rotation is unknown. The rotation then counts as recent, because falsely
/// detected reuse would revoke the session of an honest user. After a step back, the rotation is in the future. After a
/// step forward, this instance remembers the step for one grace period. A rotation is also in the future if a
/// concurrent request made it, or an instance whose clock is slightly ahead. Without a grace period, no rotation is
/// recent.
fn is_within_grace_period(app: &App, rotated_at: Timestamp, grace_period: Duration, now: Timestamp) -> bool {
    if grace_period.is_zero() {
        return false;
    }
    if rotated_at > now {
        return true;
    }
    now.since(rotated_at) < grace_period || app.clock.has_stepped_within(grace_period)
}

/// Makes the next token the current one. Returns `None` if a concurrent caller was faster, or the session was revoked.
async fn rotate(
    app: &App,
    session: session::Model,
    client: &Client,
    now: Timestamp,
) -> Result<Option<session::Model>, RefreshError> {
    let context = "refreshing a session";
    let rotated = session::Model {
        counter: session.counter.saturating_add(1),
        rotated_at: now,
        refreshes_until: app.limits.count_refresh(session.refreshes_until, now)?,
        last_used_at: now,
        idle_expires_at: session.expires_at.min(now + app.sessions.idle_lifetime),
        client_ip: client.ip_text(),
        user_agent: client.short_user_agent(),
        ..session
    };

    let result = write(&app.db, context, async |transaction: &Transaction| {
        session::Entity::rotate(rotated.clone()).exec(transaction).await.context(context)
    })
    .await?;
    Ok((result.rows_affected == 1).then_some(rotated))
}

/// Revokes a session because of a reused or out-of-sequence token.
async fn revoke_misused(
    app: &App,
    session: &session::Model,
    misuse: Misuse,
    client: &Client,
    now: Timestamp,
) -> Result<(), ServiceError> {
    let kind = match misuse {
        Misuse::Reused => Kind::RefreshTokenReused,
        Misuse::OutOfSequence => Kind::RefreshTokenOutOfSequence,
    };
    let event = Event::failure(kind, client).user(Some(session.user_id)).session(session.id);
    if revoke_session(&app.db, &app.audit, session.id, event, now).await? {
        app.metrics.record_refresh_token_misuse(misuse);
        tracing::warn!(
            session.id = %session.id,
            user.id = %session.user_id,
            kind = kind.to_value(),
            "revoked a session: its refresh token was reused or out of sequence; the token may have been stolen"
        );
    }
    Ok(())
}
