//! Changes to users by operators.

use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, EntityTrait as _, IntoActiveModel as _};

use crate::{
    domain::{
        app::App,
        audit::{Actor, Event, Kind},
        limits::forget_networks,
        name::canonicalize,
        password::Weakness,
        user::{User, find_by_id, find_by_name, hash_new_password, lock_user},
    },
    entity::{
        session,
        user::{self, State},
    },
    error::ServiceError,
    ids::UserId,
    secret::Password,
    store::{Context as _, Transaction, write},
};

/// Why an operator's change to a user fails.
#[derive(Debug, thiserror::Error)]
pub enum ChangeUserError {
    /// No user has the identifier or the username.
    #[error("no such user; list all users with `vestibule user list`")]
    NotFound,
    /// The password violates the policy.
    #[error("the password {0}")]
    PasswordRejected(#[from] Weakness),
    /// The error that every use case shares.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// Finds a user by identifier, or by username in any spelling. The identifier is tried first, so a username that looks
/// like an identifier cannot hide another user.
pub async fn find_user(app: &App, id_or_name: &str) -> Result<User, ChangeUserError> {
    if let Ok(id) = id_or_name.parse::<UserId>()
        && let Some(user) = find_by_id(&app.db, id).await?
    {
        return Ok(user.into());
    }
    let name = canonicalize(id_or_name).ok_or(ChangeUserError::NotFound)?;
    find_by_name(&app.db, &name).await?.map(User::from).ok_or(ChangeUserError::NotFound)
}

/// Disables a user: revokes all sessions and prevents logins until the user is enabled again.
pub async fn disable_user(app: &App, id: UserId) -> Result<User, ChangeUserError> {
    change_user(app, id, Kind::UserDisabled, Access::Revoke, |row| row.state = Set(State::Disabled)).await
}

/// Enables a disabled user. Revoked sessions stay revoked.
pub async fn enable_user(app: &App, id: UserId) -> Result<User, ChangeUserError> {
    change_user(app, id, Kind::UserEnabled, Access::Keep, |row| row.state = Set(State::Active)).await
}

/// Sets the password of a user, without the current one, and revokes all sessions.
pub async fn set_password(app: &App, user: &User, password: &Password) -> Result<User, ChangeUserError> {
    let now = app.clock.now();
    let hash = hash_new_password::<ChangeUserError>(app, &user.name()?, password).await?;
    change_user(app, user.id, Kind::PasswordSet, Access::Revoke, |row| {
        row.password_hash = Set(hash.clone());
        row.password_changed_at = Set(now);
    })
    .await
}

/// Ends the lockout of a user.
pub async fn unlock_user(app: &App, user: &User) -> Result<(), ServiceError> {
    let now = app.clock.now();
    let name = user.name()?;
    let event = Event::success(Kind::UserUnlocked, Actor::Operator).user(Some(user.id));
    write(&app.db, "unlocking a user", async |transaction: &Transaction| {
        app.limits.unlock(transaction, name.canonical()).await?;
        app.audit.record(transaction, event, now).await
    })
    .await
}

/// Deletes a user with all sessions and known networks.
pub async fn delete_user(app: &App, id: UserId) -> Result<(), ChangeUserError> {
    let context = "deleting a user";
    let now = app.clock.now();
    let event = Event::success(Kind::UserDeleted, Actor::Operator).user(Some(id));
    write(&app.db, context, async |transaction: &Transaction| {
        lock_user(transaction, id).await?.ok_or(ChangeUserError::NotFound)?;
        session::Entity::delete_all_of(id).exec(transaction).await.context(context)?;
        user::Entity::delete_by_id(id).exec(transaction).await.context(context)?;
        Ok(app.audit.record(transaction, event, now).await?)
    })
    .await
}

/// Whether a change keeps or revokes the sessions and known networks of the user.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Keep,
    Revoke,
}

/// Changes the row of a user under its lock. In the same transaction, revokes access if required and records the event.
async fn change_user(
    app: &App,
    id: UserId,
    kind: Kind,
    access: Access,
    edit: impl Fn(&mut user::ActiveModel) + Send + Sync,
) -> Result<User, ChangeUserError> {
    let context = "changing a user";
    let now = app.clock.now();
    let event = Event::success(kind, Actor::Operator).user(Some(id));

    let changed = write(&app.db, context, async |transaction: &Transaction| {
        let row = lock_user(transaction, id).await?.ok_or(ChangeUserError::NotFound)?;
        let mut row = row.into_active_model();
        edit(&mut row);
        let changed = row.update(transaction).await.context(context)?;

        if access == Access::Revoke {
            forget_networks(transaction, id).await?;
            session::Entity::delete_all_of(id).exec(transaction).await.context(context)?;
        }
        app.audit.record(transaction, event, now).await?;
        Ok::<_, ChangeUserError>(changed)
    })
    .await?;
    Ok(changed.into())
}
