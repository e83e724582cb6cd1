//! Accounts: registered, looked up, disabled, enabled, given a new password, deleted.

use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, DatabaseTransaction, EntityTrait, IntoActiveModel as _, QueryOrder as _,
    QuerySelect as _,
};

use super::{
    App,
    audit::{Actor, Event, Kind},
    device,
    fault::{Doing as _, Fault, is_unique_violation},
    login::{self, LoginError},
    name::{self, Name},
    password::{Normalised, Weakness},
    session::{Caller, Client, end_others_of},
    throttle::{self, AdmitError, Throttled},
    transaction::write,
};
use crate::{
    clock::Timestamp,
    entity::{
        session,
        user::{self, State},
    },
    ids::UserId,
    metrics::{RateLimit, SessionEnd},
    secret::{Password, PasswordHash},
};

/// An account, as those who may see it see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its identifier.
    pub id: UserId,
    /// The name as it was registered.
    pub username: String,
    /// Whether an operator closed it.
    pub disabled: bool,
    /// When it was registered.
    pub created_at: Timestamp,
}

impl From<user::Model> for Account {
    fn from(row: user::Model) -> Self {
        Self { id: row.id, username: row.username, disabled: row.state == State::Disabled, created_at: row.created_at }
    }
}

/// Who may register.
#[derive(Clone, Debug)]
pub struct RegistrationSettings {
    /// Whether anybody may; an operator always may.
    pub open: bool,
    /// Reserved names beside the built-in ones, in canonical form.
    pub reserved_names: Vec<String>,
}

/// Why an account cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Too many accounts were made from this address.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// Only an operator makes accounts here.
    #[error("registration is closed")]
    Closed,
    /// The name, in this or another spelling, belongs to an account or is reserved.
    #[error("the user name is taken")]
    UsernameTaken,
    /// The password breaks the policy.
    #[error("the password {0}")]
    PasswordRejected(#[from] Weakness),
    /// Something underneath failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why an account cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no such account.
    #[error("no such user")]
    NotFound,
    /// The password breaks the policy.
    #[error("the password {0}")]
    PasswordRejected(#[from] Weakness),
    /// Something underneath failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why an account does not get the new password that its owner wants.
#[derive(Debug, thiserror::Error)]
pub enum ChangePasswordError {
    /// Too many tries.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// The current password is not the one that was given, or has just been changed.
    #[error("the current password is not right")]
    InvalidCredentials,
    /// The caller's session has ended meanwhile.
    #[error("the session has ended")]
    InvalidToken,
    /// The new password breaks the policy.
    #[error("the password {0}")]
    PasswordRejected(#[from] Weakness),
    /// Something underneath failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<LoginError> for ChangePasswordError {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Throttled(throttled) => Self::Throttled(throttled),
            LoginError::InvalidCredentials => Self::InvalidCredentials,
            LoginError::Fault(fault) => Self::Fault(fault),
        }
    }
}

impl From<AdmitError> for RegisterError {
    fn from(error: AdmitError) -> Self {
        match error {
            AdmitError::Throttled(throttled) => Self::Throttled(throttled),
            AdmitError::Fault(fault) => Self::Fault(fault),
        }
    }
}

/// Registers an account for anybody who asks, where that is allowed.
///
/// # Errors
/// [`RegisterError`].
pub async fn register(app: &App, name: &Name, password: &Password, client: &Client) -> Result<Account, RegisterError> {
    if !app.registration.open {
        return Err(RegisterError::Closed);
    }
    let (rate, now) = (app.throttle.registrations, app.clock.steady());
    throttle::pass(app, client, "register", rate, RateLimit::Registration, now).await?;
    if name.is_reserved(&app.registration.reserved_names) {
        return Err(RegisterError::UsernameTaken);
    }
    create(app, name, password, Actor::Client(client)).await
}

/// Makes an account, as operators may: reserved names and closed registration do not stop it.
///
/// # Errors
/// [`RegisterError`], never `Closed` or `Throttled`.
pub async fn create(app: &App, name: &Name, password: &Password, by: Actor<'_>) -> Result<Account, RegisterError> {
    let now = app.clock.now();
    let hash = hash_new(app, name, password).await??;
    let row = &user::Model {
        id: UserId::random(),
        username: name.shown().to_owned(),
        username_canonical: name.canonical().to_owned(),
        password_hash: hash,
        state: State::Active,
        created_at: now,
        password_changed_at: now,
    };
    let doing = "storing an account";
    let event = Event::done(Kind::AccountCreated, by).of(Some(row.id));
    write(&app.db, doing, |transaction| async move {
        let insert = user::Entity::insert(row.clone().into_active_model());
        match insert.exec_without_returning(&*transaction).await {
            Err(error) if is_unique_violation(&error) => return Err(RegisterError::UsernameTaken),
            other => other.doing(doing)?,
        };
        Ok(app.keyring.trail().record(&transaction, event, now).await?)
    })
    .await?;
    Ok(row.clone().into())
}

/// Every account, in the order of the names.
///
/// # Errors
/// The database's.
pub async fn list(app: &App) -> Result<Vec<Account>, Fault> {
    let rows = user::Entity::find().order_by_asc(user::COLUMN.username_canonical).all(&app.db).await;
    Ok(rows.doing("listing accounts")?.into_iter().map(Account::from).collect())
}

/// The account with this identifier or name. No name can be taken for an identifier of another account: an exact
/// identifier is tried first.
///
/// # Errors
/// [`ChangeError::NotFound`], or a fault.
pub async fn find(app: &App, who: &str) -> Result<Account, ChangeError> {
    if let Ok(id) = who.parse::<UserId>()
        && let Some(user) = user::Entity::by_id(id).one(&app.db).await.doing("finding an account")?
    {
        return Ok(user.into());
    }
    let name = name::canonical(who).ok_or(ChangeError::NotFound)?;
    let found = user::Entity::by_canonical_name(&name).one(&app.db).await.doing("finding an account")?;
    found.map(Account::from).ok_or(ChangeError::NotFound)
}

/// Closes an account: its sessions end, and it cannot sign in until it is enabled.
///
/// # Errors
/// [`ChangeError::NotFound`], or a fault.
pub async fn disable(app: &App, id: UserId) -> Result<Account, ChangeError> {
    change(app, id, Kind::AccountDisabled, Sessions::End, |row| row.state = Set(State::Disabled)).await
}

/// Opens a disabled account again; the sessions that it had stay ended.
///
/// # Errors
/// [`ChangeError::NotFound`], or a fault.
pub async fn enable(app: &App, id: UserId) -> Result<Account, ChangeError> {
    change(app, id, Kind::AccountEnabled, Sessions::Keep, |row| row.state = Set(State::Active)).await
}

/// Sets an account's password for an operator, without knowing the old one; its sessions end.
///
/// # Errors
/// [`ChangeError`].
pub async fn set_password(app: &App, account: &Account, password: &Password) -> Result<Account, ChangeError> {
    let now = app.clock.now();
    let hash = hash_new(app, &name_of(account)?, password).await??;
    change(app, account.id, Kind::PasswordSet, Sessions::End, |row| {
        row.password_hash = Set(hash.clone());
        row.password_changed_at = Set(now);
    })
    .await
}

/// Opens an account again that was closed to unknown devices after too many failures in a row.
///
/// # Errors
/// The database's.
pub async fn unlock(app: &App, account: &Account) -> Result<(), Fault> {
    let name = name_of(account)?;
    let event = Event::done(Kind::AccountUnlocked, Actor::Operator).of(Some(account.id));
    throttle::unlock(app, name.canonical(), event).await
}

/// Sets the caller's own password, for those who know the current one. The caller's session goes on, all others of the
/// account end (OWASP ASVS 7.4.3).
///
/// # Errors
/// [`ChangePasswordError`].
pub async fn change_password(
    app: &App,
    caller: &Caller,
    client: &Client,
    current: &Password,
    new: &Password,
) -> Result<(), ChangePasswordError> {
    let now = app.clock.read();
    let new = Normalised::new(new);
    // Before the current one is looked at, so that a new one that is refused counts as no failure.
    app.passwords.check(&new, &name_of(&caller.account)?)?;
    let (seen, admitted) = &login::confirm(app, caller.account.id, current, client, now).await?;
    let hash = &login::unless_busy(app, admitted, app.hashing.hash(new).await).await?;
    let doing = "changing a password";
    let event = Event::done(Kind::PasswordChanged, Actor::Client(client)).of(Some(seen.id)).session(caller.session);
    let ended = write(&app.db, doing, |transaction| async move {
        let mut row = login::unchanged(&transaction, seen).await?.into_active_model();
        let own = session::Entity::by_id_live(caller.session, now.moment).lock_exclusive().one(&*transaction).await;
        own.doing(doing)?.ok_or(ChangePasswordError::InvalidToken)?;
        row.password_hash = Set(hash.clone());
        row.password_changed_at = Set(now.date);
        row.update(&*transaction).await.doing(doing)?;
        throttle::forgive(app, &transaction, admitted, now.moment).await?;
        device::forget_all(&transaction, seen.id).await?;
        throttle::remember(app, &transaction, admitted, seen.id, now.moment).await?;
        // The lock of the account keeps new ones away.
        let ended = end_others_of(&transaction, caller, doing).await?;
        app.keyring.trail().record(&transaction, event, now.date).await?;
        Ok::<_, ChangePasswordError>(ended)
    })
    .await?;
    app.metrics.record_sessions_ended(SessionEnd::PasswordChange, ended);
    Ok(())
}

/// Deletes an account and everything that belongs to it.
///
/// # Errors
/// [`ChangeError::NotFound`], or a fault.
pub async fn delete(app: &App, id: UserId) -> Result<(), ChangeError> {
    let now = app.clock.now();
    let event = Event::done(Kind::AccountDeleted, Actor::Operator).of(Some(id));
    let doing = "deleting an account";
    write(&app.db, doing, |transaction| async move {
        locked(&transaction, id).await?;
        session::Entity::end_all_of(id).exec(&*transaction).await.doing(doing)?;
        user::Entity::delete_by_id(id).exec(&*transaction).await.doing(doing)?;
        Ok(app.keyring.trail().record(&transaction, event, now).await?)
    })
    .await
}

/// The name of an account, as the password policy wants it.
fn name_of(account: &Account) -> Result<Name, Fault> {
    Name::parse(&account.username).map_err(|error| Fault::internal("reading the name of an account", error))
}

/// Checks a new password against the policy, then hashes it.
async fn hash_new(app: &App, name: &Name, password: &Password) -> Result<Result<PasswordHash, Weakness>, Fault> {
    let password = Normalised::new(password);
    if let Err(weakness) = app.passwords.check(&password, name) {
        return Ok(Err(weakness));
    }
    app.hashing.hash(password).await.map(Ok)
}

/// What becomes of the sessions of an account that is changed, and of what it knows devices by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sessions {
    Keep,
    End,
}

/// Changes a row under its lock for an operator, and whatever goes with that in the same transaction.
async fn change(
    app: &App,
    id: UserId,
    kind: Kind,
    sessions: Sessions,
    edit: impl Fn(&mut user::ActiveModel),
) -> Result<Account, ChangeError> {
    let doing = "changing an account";
    let edit = &edit;
    let now = app.clock.now();
    let event = Event::done(kind, Actor::Operator).of(Some(id));
    let changed = write(&app.db, doing, |transaction| async move {
        let mut row = locked(&transaction, id).await?.into_active_model();
        edit(&mut row);
        let changed = row.update(&*transaction).await.doing(doing)?;
        if sessions == Sessions::End {
            device::forget_all(&transaction, id).await?;
            session::Entity::end_all_of(id).exec(&*transaction).await.doing(doing)?;
        }
        app.keyring.trail().record(&transaction, event, now).await?;
        Ok::<_, ChangeError>(changed)
    })
    .await?;
    Ok(changed.into())
}

/// The row under its lock. Every transaction that writes to this row takes it before all others, so that no two such
/// transactions wait for each other.
async fn locked(transaction: &DatabaseTransaction, id: UserId) -> Result<user::Model, ChangeError> {
    let found = user::Entity::by_id(id).lock_exclusive().one(transaction).await.doing("locking an account")?;
    found.ok_or(ChangeError::NotFound)
}
