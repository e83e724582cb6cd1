//! Login: a name and a password for a session and its tokens.

use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction, IntoActiveModel as _, QuerySelect as _};

use super::{
    App,
    audit::{Actor, Event, Kind, Reason},
    fault::{Doing as _, Fault},
    name,
    password::{Normalised, Verdict},
    session::{self, Client, Opened},
    throttle::{self, AdmitError, Admitted, Throttled},
    token::{self, TokenPair},
    transaction::write,
};
use crate::{
    clock::{Reading, Timestamp},
    entity::user,
    ids::UserId,
    metrics::{LoginOutcome, SessionEnd},
    secret::{Password, PasswordHash, SessionSecret},
};

/// A try to sign in.
#[derive(Debug)]
pub struct Attempt {
    /// The name, in any spelling.
    pub username: String,
    /// The password.
    pub password: Password,
    /// Where the try comes from.
    pub client: Client,
}

/// Why a try fails.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Too many tries.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// Unknown name, wrong password or disabled account: callers cannot tell which.
    #[error("invalid user name or password")]
    InvalidCredentials,
    /// Something underneath failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<AdmitError> for LoginError {
    fn from(error: AdmitError) -> Self {
        match error {
            AdmitError::Throttled(throttled) => Self::Throttled(throttled),
            AdmitError::Fault(fault) => Self::Fault(fault),
        }
    }
}

/// Signs in by password, the only place that does. Whatever the name, the same work comes in the same order: the
/// throttle, the look-up of what can be a name at all, one hash, and only then the account's state (OWASP ASVS 6.3.8).
///
/// # Errors
/// [`LoginError`].
pub async fn with_password(app: &App, attempt: Attempt) -> Result<TokenPair, LoginError> {
    let outcome = signed_in(app, attempt).await;
    app.metrics.record_login(match &outcome {
        Ok(_) => LoginOutcome::Success,
        Err(LoginError::InvalidCredentials) => LoginOutcome::InvalidCredentials,
        Err(LoginError::Throttled(_)) => LoginOutcome::RateLimited,
        Err(LoginError::Fault(Fault::Busy { .. })) => LoginOutcome::Busy,
        Err(LoginError::Fault(_)) => LoginOutcome::Failed,
    });
    outcome
}

async fn signed_in(app: &App, attempt: Attempt) -> Result<TokenPair, LoginError> {
    let now = app.clock.read();
    let name = name::canonical(&attempt.username);
    // What can be no name is counted as it was sent.
    let subject = name.as_deref().unwrap_or(&attempt.username);
    let admitted = throttle::admit(app, &attempt.client, subject, now.moment).await?;
    let found = match &name {
        Some(name) => user::Entity::by_canonical_name(name).one(&app.db).await.doing("finding an account")?,
        None => None,
    };
    let check = Check { kind: Kind::Login, client: &attempt.client, admitted: &admitted, date: now.date };
    let (user, outdated) = checked(app, found, &attempt.password, check).await?;
    let renewed = if outdated { renew(app, &attempt.password).await } else { None };
    let secret = &new_secret()?;
    let (user, renewed, client, admitted) = (&user, &renewed, &attempt.client, &admitted);
    let opened = write(&app.db, "signing in", |transaction| async move {
        let current = unchanged(&transaction, user).await?;
        if let Some(hash) = renewed.as_ref().filter(|_| current.password_hash == user.password_hash) {
            let mut row = current.into_active_model();
            row.password_hash = Set(hash.clone());
            row.update(&*transaction).await.doing("renewing a password hash")?;
        }
        throttle::forgive(app, &transaction, admitted, now.moment).await?;
        throttle::remember(app, &transaction, admitted, user.id, now.moment).await?;
        let opened = session::open(&app.sessions, &transaction, user.id, client, secret, now).await?;
        let event = Event::done(Kind::Login, Actor::Client(client)).of(Some(user.id)).session(opened.session.id);
        app.keyring.trail().record(&transaction, event, now.date).await?;
        Ok(opened)
    })
    .await;
    if let Err(LoginError::InvalidCredentials) = opened {
        refused(app, Some(user.id), Reason::AccountChanged, check).await?;
    }
    let Opened { session, displaced } = opened?;
    app.metrics.record_session_opened();
    app.metrics.record_sessions_ended(SessionEnd::SessionLimit, displaced);
    session::note(&session.user_id, &session.id);
    Ok(token::pair(app, &session, secret, now)?)
}

/// Makes sure that whoever is signed in to an account knows its password too. The try is counted as a login's is, and the
/// caller tells when it has succeeded.
///
/// # Errors
/// [`LoginError`].
pub(super) async fn confirm(
    app: &App,
    account: UserId,
    password: &Password,
    client: &Client,
    now: Reading,
) -> Result<(user::Model, Admitted), LoginError> {
    let found = user::Entity::by_id(account).one(&app.db).await.doing("finding an account")?;
    let user = found.ok_or(LoginError::InvalidCredentials)?;
    let admitted = throttle::admit(app, client, &user.username_canonical, now.moment).await?;
    let check = Check { kind: Kind::PasswordChanged, client, admitted: &admitted, date: now.date };
    let (user, _) = checked(app, Some(user), password, check).await?;
    Ok((user, admitted))
}

/// A password that is looked at.
#[derive(Clone, Copy)]
struct Check<'a> {
    /// What it is given for.
    kind: Kind,
    client: &'a Client,
    admitted: &'a Admitted,
    date: Timestamp,
}

/// The active account whose password this is, and whether its hash costs less than a new one would. What is refused is
/// noted.
async fn checked(
    app: &App,
    found: Option<user::Model>,
    password: &Password,
    check: Check<'_>,
) -> Result<(user::Model, bool), LoginError> {
    let phc = found.as_ref().map(|user| &user.password_hash);
    let verdict = app.hashing.verify(Normalised::new(password), phc).await;
    let verdict = unless_busy(app, check.admitted, verdict).await?;
    let id = found.as_ref().map(|user| user.id);
    let reason = match (found, verdict) {
        (Some(user), Verdict::Right { outdated }) if user.state == user::State::Active => return Ok((user, outdated)),
        (Some(_), Verdict::Right { .. }) => Reason::AccountDisabled,
        (Some(_), _) => Reason::WrongPassword,
        (None, _) => Reason::UnknownAccount,
    };
    refused(app, id, reason, check).await?;
    Err(LoginError::InvalidCredentials)
}

/// Notes that a password was refused, and where that has closed its account to unknown devices, that too.
async fn refused(app: &App, user: Option<UserId>, reason: Reason, check: Check<'_>) -> Result<(), Fault> {
    let event = Event::refused(check.kind, check.client).of(user).because(reason);
    let locked = Event::done(Kind::AccountLocked, Actor::Client(check.client)).of(user);
    write(&app.db, "noting a refused password", |transaction| async move {
        app.keyring.trail().record(&transaction, event, check.date).await?;
        if check.admitted.locks() {
            app.keyring.trail().record(&transaction, locked, check.date).await?;
        }
        Ok(())
    })
    .await
}

/// What came of hashing. Where nothing did, because too much was waiting, the try is taken back.
pub(super) async fn unless_busy<T>(app: &App, admitted: &Admitted, outcome: Result<T, Fault>) -> Result<T, Fault> {
    if let Err(Fault::Busy { .. }) = outcome {
        throttle::withdraw(app, admitted).await?;
    }
    outcome
}

/// 128 bits from the random generator.
fn new_secret() -> Result<SessionSecret, Fault> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|error| Fault::internal("drawing a session's secret", error))?;
    Ok(SessionSecret::from_bytes(bytes))
}

/// A new hash in the place of one that costs too little. A login does not fail for the want of it: the next one tries
/// again.
async fn renew(app: &App, password: &Password) -> Option<PasswordHash> {
    let renewed = app.hashing.hash(Normalised::new(password)).await;
    renewed.inspect_err(|fault| tracing::debug!(cause = fault.chain(), "a password hash is not renewed now")).ok()
}

/// Locks the account's row, on databases that lock rows, and makes sure that it was neither disabled, deleted nor given
/// another password while this try was hashing.
pub(super) async fn unchanged(
    transaction: &DatabaseTransaction,
    seen: &user::Model,
) -> Result<user::Model, LoginError> {
    let current = user::Entity::by_id(seen.id).lock_exclusive().one(transaction).await.doing("locking an account")?;
    let same =
        |current: &user::Model| current.state == seen.state && current.password_changed_at == seen.password_changed_at;
    current.filter(same).ok_or(LoginError::InvalidCredentials)
}
