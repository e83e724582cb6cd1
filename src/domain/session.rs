//! Sessions: opened at login, checked with every access token, listed and ended by their owner, cleared away when they
//! are over.

use std::{net::IpAddr, time::Duration};

use sea_orm::{DatabaseTransaction, EntityTrait, IntoActiveModel as _};

use super::{
    App,
    access_token::{self, Bearer},
    account::Account,
    audit::{Actor, Event, Kind},
    fault::{Doing as _, Fault},
    transaction::write,
};
use crate::{
    clock::{Moment, Reading, Timestamp},
    entity::{session, user},
    ids::{RequestId, SessionId, UserId},
    metrics::SessionEnd,
    secret::{AccessToken, SecretDigest, SessionSecret},
};

/// The most characters of a client's own name that are kept.
const USER_AGENT_LENGTH: usize = 256;
/// The most live sessions that an account can be allowed, and the most that one login ends: it ends one, unless the
/// bound was lowered.
pub const MAX_PER_ACCOUNT: u64 = 100;
/// How many sessions that are over go in one transaction.
const CLEAN_UP_BATCH: u64 = 500;

/// How long sessions last, and how many an account has.
#[derive(Clone, Copy, Debug)]
pub struct SessionSettings {
    /// From login, whatever happens.
    pub lifetime: Duration,
    /// From the last use.
    pub idle_lifetime: Duration,
    /// How long a refresh token answers its successor once more after it was used.
    pub refresh_grace: Duration,
    /// The most live sessions of an account.
    pub max_per_account: u64,
}

/// Where a request came from.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its address.
    pub address: IpAddr,
    /// What it calls itself.
    pub user_agent: Option<String>,
    /// The request itself.
    pub request: RequestId,
}

impl Client {
    /// The address as it is kept: an IPv4 address is written as one, however it came.
    pub(super) fn address(&self) -> String {
        self.address.to_canonical().to_string()
    }

    /// What it calls itself, as far as that is kept.
    pub(super) fn user_agent(&self) -> Option<String> {
        self.user_agent.as_ref().map(|name| name.chars().take(USER_AGENT_LENGTH).collect())
    }
}

/// Who makes a request: an active account in a live session.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The account.
    pub account: Account,
    /// Its session.
    pub session: SessionId,
}

/// A live session, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its identifier.
    pub id: SessionId,
    /// When the account signed in.
    pub created_at: Timestamp,
    /// When the session was last signed into or renewed.
    pub last_used_at: Timestamp,
    /// The address of the client that last did so.
    pub address: String,
    /// What that client called itself.
    pub user_agent: Option<String>,
    /// Whether it is the session of whoever asks.
    pub current: bool,
}

/// Why a request has no caller.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticateError {
    /// The token is not valid, or its session or account is no longer live.
    #[error("the access token is not accepted")]
    InvalidToken,
    /// Something underneath failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why a session cannot be ended.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// The caller has no such live session; whether somebody else has is not told.
    #[error("no such session")]
    NotFound,
    /// Something underneath failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Finds out who presents an access token. The session and the account are read each time, so that what ends them
/// counts from the next request on.
///
/// # Errors
/// [`AuthenticateError`].
pub async fn authenticate(app: &App, token: &AccessToken) -> Result<Caller, AuthenticateError> {
    let now = app.clock.read();
    let bearer = access_token::verify(&app.keyring, &app.tokens, token, now);
    let Bearer { user, session } = bearer.map_err(|_| AuthenticateError::InvalidToken)?;
    let found = live(app, session, now.moment).await?;
    let (_, owner) = found.filter(|(_, owner)| owner.id == user).ok_or(AuthenticateError::InvalidToken)?;
    note(&owner.id, &session);
    Ok(Caller { account: owner.into(), session })
}

/// Tells whoever follows the request, in log or trace, whose it is.
pub(super) fn note(user: &UserId, session: &SessionId) {
    let span = tracing::Span::current();
    span.record("user.id", tracing::field::display(user));
    span.record("session.id", tracing::field::display(session));
}

/// The live sessions of the caller's account, the last used first; [`MAX_PER_ACCOUNT`] of them where an older schema
/// allowed more.
///
/// # Errors
/// The database's.
pub async fn list(app: &App, caller: &Caller) -> Result<Vec<Session>, Fault> {
    let rows = session::Entity::live_of(caller.account.id, app.clock.steady(), MAX_PER_ACCOUNT).all(&app.db).await;
    let seen = |row: session::Model| Session {
        id: row.id,
        created_at: row.created_at,
        last_used_at: row.last_used_at,
        address: row.address,
        user_agent: row.user_agent,
        current: row.id == caller.session,
    };
    Ok(rows.doing("listing sessions")?.into_iter().map(seen).collect())
}

/// Ends the caller's own session.
///
/// # Errors
/// The database's.
pub async fn log_out(app: &App, caller: &Caller, client: &Client) -> Result<(), Fault> {
    let event = Event::done(Kind::Logout, Actor::Client(client)).of(Some(caller.account.id)).session(caller.session);
    let ended = end(app, caller.session, event).await?;
    app.metrics.record_sessions_ended(SessionEnd::User, ended.into());
    Ok(())
}

/// Ends one of the caller's live sessions, which may be the current one.
///
/// # Errors
/// [`EndError`].
pub async fn end_one(app: &App, caller: &Caller, client: &Client, id: SessionId) -> Result<(), EndError> {
    let now = app.clock.read();
    let doing = "ending a session";
    let event = Event::done(Kind::SessionEnded, Actor::Client(client)).of(Some(caller.account.id)).session(id);
    write(&app.db, doing, |transaction| async move {
        let one = session::Entity::end_one_of(caller.account.id, id, now.moment);
        if one.exec(&*transaction).await.doing(doing)?.rows_affected == 0 {
            return Err(EndError::NotFound);
        }
        Ok(app.keyring.trail().record(&transaction, event, now.date).await?)
    })
    .await?;
    app.metrics.record_sessions_ended(SessionEnd::User, 1);
    Ok(())
}

/// Ends every session of the caller's account but the caller's own.
///
/// # Errors
/// The database's.
pub async fn end_others(app: &App, caller: &Caller, client: &Client) -> Result<(), Fault> {
    let now = app.clock.now();
    let doing = "ending sessions";
    let event = Event::done(Kind::OtherSessionsEnded, Actor::Client(client));
    let event = event.of(Some(caller.account.id)).session(caller.session);
    let ended = write(&app.db, doing, |transaction| async move {
        let ended = end_others_of(&transaction, caller, doing).await?;
        app.keyring.trail().record(&transaction, event, now).await?;
        Ok::<_, Fault>(ended)
    })
    .await?;
    app.metrics.record_sessions_ended(SessionEnd::User, ended);
    Ok(())
}

/// Removes the sessions that are over; answers how many.
///
/// # Errors
/// The database's.
pub(super) async fn clean_up(app: &App) -> Result<u64, Fault> {
    let mut removed = 0;
    while clean_up_batch(app, &mut removed).await? {}
    app.metrics.record_sessions_ended(SessionEnd::Expired, removed);
    Ok(removed)
}

/// A session that was opened.
#[derive(Debug)]
pub(super) struct Opened {
    /// Its row.
    pub(super) session: session::Model,
    /// How many others of the account ended for it.
    pub(super) displaced: u64,
}

/// Adds a session to the writes of a login that holds the lock of its account. Where that makes too many, the oldest
/// ones end.
///
/// # Errors
/// The database's.
pub(super) async fn open(
    settings: &SessionSettings,
    transaction: &DatabaseTransaction,
    user: UserId,
    client: &Client,
    secret: &SessionSecret,
    now: Reading,
) -> Result<Opened, Fault> {
    let doing = "opening a session";
    let older =
        session::Entity::older_of(user, now.moment, settings.max_per_account.saturating_sub(1), MAX_PER_ACCOUNT);
    let older = older.all(transaction).await.doing(doing)?;
    let mut displaced = 0;
    if !older.is_empty() {
        let ids = older.iter().map(|session| session.id);
        displaced = session::Entity::end_all(ids).exec(transaction).await.doing(doing)?.rows_affected;
    }
    let row = session::Model {
        id: SessionId::random(),
        user_id: user,
        created_at: now.date,
        last_used_at: now.date,
        expires_at: now.moment + settings.lifetime,
        idle_expires_at: now.moment + settings.lifetime.min(settings.idle_lifetime),
        address: client.address(),
        user_agent: client.user_agent(),
        counter: 1,
        rotated_at: now.moment,
        refreshes_until: now.moment,
        secret_digest: SecretDigest::of(secret),
    };
    session::Entity::insert(row.clone().into_active_model()).exec_without_returning(transaction).await.doing(doing)?;
    Ok(Opened { session: row, displaced })
}

/// Ends every session of the caller's account but the caller's own; answers how many.
///
/// By their identifiers: a search that locks what it passes would wait for the session of another account that does the
/// same, and waits for this one.
///
/// # Errors
/// The database's.
pub(super) async fn end_others_of(
    transaction: &DatabaseTransaction,
    caller: &Caller,
    doing: &'static str,
) -> Result<u64, Fault> {
    let others = session::Entity::others_of(caller.account.id, caller.session).all(transaction).await.doing(doing)?;
    let others = session::Entity::end_all(others.iter().map(|other| other.id));
    Ok(others.exec(transaction).await.doing(doing)?.rows_affected)
}

/// A live session and the active account that owns it.
pub(super) async fn live(
    app: &App,
    id: SessionId,
    now: Moment,
) -> Result<Option<(session::Model, user::Model)>, Fault> {
    let found = session::Entity::by_id_live(id, now).one(&app.db).await.doing("reading a session")?;
    let Some(session) = found else { return Ok(None) };
    let owner = user::Entity::by_id(session.user_id).one(&app.db).await.doing("reading an account")?;
    Ok(owner.filter(|owner| owner.state == user::State::Active).map(|owner| (session, owner)))
}

/// Ends a session and notes `event`; whether it had not ended before.
///
/// # Errors
/// The database's.
pub(super) async fn end(app: &App, id: SessionId, event: Event<'_>) -> Result<bool, Fault> {
    let now = app.clock.now();
    let doing = "ending a session";
    write(&app.db, doing, |transaction| async move {
        let ended = session::Entity::end(id).exec(&*transaction).await.doing(doing)?.rows_affected == 1;
        if ended {
            app.keyring.trail().record(&transaction, event, now).await?;
        }
        Ok(ended)
    })
    .await
}

/// Removes some of the sessions that are over; answers whether there may be more, and adds to `removed`.
async fn clean_up_batch(app: &App, removed: &mut u64) -> Result<bool, Fault> {
    let now = app.clock.steady();
    let doing = "clearing ended sessions away";
    let ended = session::Entity::ended(now, CLEAN_UP_BATCH).all(&app.db).await.doing(doing)?;
    let ids = &ended.iter().map(|session| session.id).collect::<Vec<_>>();
    let deleted = write(&app.db, doing, |transaction| async move {
        session::Entity::end_ended(ids.iter().copied(), now).exec(&*transaction).await.doing(doing)
    })
    .await?;
    *removed = removed.saturating_add(deleted.rows_affected);
    Ok(ids.len() as u64 == CLEAN_UP_BATCH)
}
