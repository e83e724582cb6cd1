//! The tokens of a session: handed out at login, renewed with the refresh token, given back.
//!
//! A session has one row and no list of refresh tokens. Its tokens are counted, and the row knows which one is current:
//! using that one makes the next one current (RFC 9700 section 4.14.2, rotation).

use std::time::Duration;

use super::{
    App, access_token,
    access_token::Bearer,
    audit::{Actor, Event, Kind},
    fault::{Doing as _, Fault},
    refresh_token::{self, Claim},
    session::{self, Client},
    throttle::{self, AdmitError, Throttled},
    transaction::write,
};
use crate::{
    clock::{Moment, Reading, TOLERANCE},
    entity,
    metrics::{RateLimit, RefreshTokenReuse, SessionEnd},
    secret::{AccessToken, RefreshToken, SessionSecret},
};

/// The two tokens of a session.
#[derive(Debug)]
pub struct TokenPair {
    /// Opens every operation that asks for a token.
    pub access_token: AccessToken,
    /// How long the access token is valid; never longer than the session lasts unused.
    pub expires_in: Duration,
    /// Renews the session.
    pub refresh_token: RefreshToken,
    /// How long the session lasts unless it is renewed.
    pub refresh_expires_in: Duration,
}

/// Why a session is not renewed.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// Too many refreshes of this session, or too many refused ones from this address.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// The token is not the current one of a live session; callers learn no more.
    #[error("the refresh token is not accepted")]
    InvalidToken,
    /// Something underneath failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<AdmitError> for RefreshError {
    fn from(error: AdmitError) -> Self {
        match error {
            AdmitError::Throttled(throttled) => Self::Throttled(throttled),
            AdmitError::Fault(fault) => Self::Fault(fault),
        }
    }
}

/// How a genuine token stands to the row of its live session.
#[derive(Clone, Copy)]
enum Standing {
    /// It is the current one.
    Current,
    /// It was until a moment ago, and its successor has not been used: the answer got lost, or several callers had the
    /// same token.
    JustRotated,
    /// It was until its successor was made, which the row dates later than now: how long ago that was is not known.
    Undated,
    /// It is older.
    Reused,
    /// It is newer than the row, so the row is an old copy.
    Ahead,
}

/// Renews a session with its current refresh token. Whoever presents the same token within the grace gets the same
/// successor, so that of many parallel callers nobody is signed out. An older token means that it was copied: the
/// session ends.
///
/// # Errors
/// [`RefreshError`].
pub async fn refresh(app: &App, token: &RefreshToken, client: &Client) -> Result<TokenPair, RefreshError> {
    let now = app.clock.read();
    match renewed(app, token, client, now).await {
        Err(RefreshError::InvalidToken) => {
            let rate = app.throttle.refused_refreshes;
            throttle::pass(app, client, "refresh", rate, RateLimit::InvalidRefresh, now.moment).await?;
            Err(RefreshError::InvalidToken)
        }
        outcome => outcome,
    }
}

async fn renewed(app: &App, token: &RefreshToken, client: &Client, now: Reading) -> Result<TokenPair, RefreshError> {
    let claim = refresh_token::read(&app.keyring, token).map_err(|_| RefreshError::InvalidToken)?;
    let session = claimed(app, &claim, now.moment).await?.ok_or(RefreshError::InvalidToken)?;
    session::note(&session.user_id, &session.id);
    match standing(&claim, &session, app.sessions.refresh_grace, now.moment) {
        Standing::Current => {}
        Standing::JustRotated => return Ok(pair(app, &session, &claim.secret, now)?),
        Standing::Undated => return Err(RefreshError::InvalidToken),
        Standing::Reused => return Err(end(app, &session, Kind::RefreshTokenReused, client).await?),
        Standing::Ahead => return Err(end(app, &session, Kind::RefreshTokenAhead, client).await?),
    }
    if let Some(renewed) = rotate(app, session, client, now).await? {
        return Ok(pair(app, &renewed, &claim.secret, now)?);
    }
    // Another caller was faster. The token was current when it came, so it is no sign of theft however old it is now.
    let session = claimed(app, &claim, now.moment).await?.ok_or(RefreshError::InvalidToken)?;
    match standing(&claim, &session, app.sessions.refresh_grace, now.moment) {
        // Where it is undated, that other caller came later than this one.
        Standing::JustRotated | Standing::Undated => Ok(pair(app, &session, &claim.secret, now)?),
        Standing::Current | Standing::Reused | Standing::Ahead => Err(RefreshError::InvalidToken),
    }
}

/// Ends the session of a refresh token, current or not. What is no token of a live session is none afterwards either,
/// so it is no error (RFC 7009 section 2.2).
///
/// # Errors
/// The database's.
pub async fn revoke(app: &App, token: &RefreshToken, client: &Client) -> Result<(), Fault> {
    let now = app.clock.steady();
    let Ok(claim) = refresh_token::read(&app.keyring, token) else { return Ok(()) };
    let Some(session) = claimed(app, &claim, now).await? else { return Ok(()) };
    let event = Event::done(Kind::RefreshTokenRevoked, Actor::Client(client));
    let ended = session::end(app, session.id, event.of(Some(session.user_id)).session(session.id)).await?;
    app.metrics.record_sessions_ended(SessionEnd::User, ended.into());
    Ok(())
}

/// The tokens of a session as its row has it now.
///
/// # Errors
/// [`Fault::Internal`] when a key is missing.
pub(super) fn pair(
    app: &App,
    session: &entity::session::Model,
    secret: &SessionSecret,
    now: Reading,
) -> Result<TokenPair, Fault> {
    let refresh_expires_in = session.idle_expires_at.since(now.moment);
    let expires_in = app.tokens.lifetime.min(refresh_expires_in);
    let bearer = Bearer { user: session.user_id, session: session.id };
    let claim = Claim { session: session.id, counter: session.counter, secret: secret.clone() };
    Ok(TokenPair {
        access_token: access_token::issue(&app.keyring, &app.tokens, bearer, now, expires_in)?,
        expires_in,
        refresh_token: refresh_token::issue(&app.keyring, &claim)?,
        refresh_expires_in,
    })
}

/// The live session that a genuine token claims, if it carries the session's secret.
async fn claimed(app: &App, claim: &Claim, now: Moment) -> Result<Option<entity::session::Model>, Fault> {
    let found = session::live(app, claim.session, now).await?;
    Ok(found.map(|(session, _)| session).filter(|session| session.secret_digest.fits(&claim.secret)))
}

fn standing(claim: &Claim, session: &entity::session::Model, grace: Duration, now: Moment) -> Standing {
    if claim.counter == session.counter {
        Standing::Current
    } else if claim.counter > session.counter {
        Standing::Ahead
    } else if claim.counter.checked_add(1) != Some(session.counter) {
        Standing::Reused
    } else if session.rotated_at > now + TOLERANCE {
        Standing::Undated
    } else if now.since(session.rotated_at) < grace {
        Standing::JustRotated
    } else {
        Standing::Reused
    }
}

/// Makes the next token the current one; `None` when another caller was faster, or the session has just ended.
async fn rotate(
    app: &App,
    session: entity::session::Model,
    client: &Client,
    now: Reading,
) -> Result<Option<entity::session::Model>, RefreshError> {
    let renewed = &entity::session::Model {
        counter: session.counter.saturating_add(1),
        rotated_at: now.moment,
        refreshes_until: throttle::after_one_more(session.refreshes_until, app.throttle.refreshes, now.moment)
            .inspect_err(|_| app.metrics.record_rate_limited(RateLimit::Refresh))?,
        last_used_at: now.date,
        idle_expires_at: session.expires_at.min(now.moment + app.sessions.idle_lifetime),
        address: client.address(),
        user_agent: client.user_agent(),
        ..session
    };
    let doing = "renewing a session";
    let rotated = write(&app.db, doing, |transaction| async move {
        entity::session::Entity::rotate(renewed.clone()).exec(&*transaction).await.doing(doing)
    })
    .await?;
    Ok((rotated.rows_affected == 1).then(|| renewed.clone()))
}

/// Ends a session because of a token that should not be about, and says so; then the token is invalid.
async fn end(app: &App, session: &entity::session::Model, kind: Kind, client: &Client) -> Result<RefreshError, Fault> {
    let event = Event::refused(kind, client).of(Some(session.user_id)).session(session.id);
    if session::end(app, session.id, event).await? {
        let is_ahead = kind == Kind::RefreshTokenAhead;
        let reuse = if is_ahead { RefreshTokenReuse::Ahead } else { RefreshTokenReuse::Reused };
        app.metrics.record_refresh_token_reuse(reuse);
        tracing::warn!(session = %session.id, user = %session.user_id, ?kind, "a session was ended");
    }
    Ok(RefreshError::InvalidToken)
}
