//! Password change by the user.

use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, IntoActiveModel as _, QuerySelect as _};

use super::{
    authenticate::Caller,
    verify_password::{PasswordCheck, count_attempt, verify_password, withdraw_if_busy},
};
use crate::{
    domain::{
        app::App,
        audit::{Actor, Event, Kind},
        limits::forget_networks,
        password::{NormalizedPassword, Weakness},
        request::Client,
        session::revoke_others,
        user::{find_by_id, lock_if_unchanged},
    },
    entity::session,
    error::ServiceError,
    metrics::SessionEnd,
    secret::Password,
    store::{Context as _, Transaction, write},
};

/// Why a password is not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangePasswordError {
    /// The current password is wrong, or was just changed.
    #[error("the current password is not right")]
    InvalidCredentials,
    /// The session of the caller was revoked meanwhile.
    #[error("the session has ended")]
    InvalidToken,
    /// The new password violates the policy.
    #[error("the password {0}")]
    PasswordRejected(#[from] Weakness),
    /// The service cannot do it now.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// Changes the password of the caller, who has to know the current one. All other sessions of the user are revoked (OWASP
/// ASVS 7.4.3).
pub async fn change_password(
    app: &App,
    caller: &Caller,
    client: &Client,
    current: &Password,
    new: &Password,
) -> Result<(), ChangePasswordError> {
    let context = "changing a password";
    let now = app.clock.now();
    let new = NormalizedPassword::new(new);
    // First, so that a rejected new password does not count as a failed attempt.
    app.password_policy.check(&new, &caller.user.name()?)?;

    let user = find_by_id(&app.db, caller.user.id).await?.ok_or(ChangePasswordError::InvalidCredentials)?;
    let counted = count_attempt(app, client, &user.username_canonical, now).await?;
    let check = PasswordCheck { kind: Kind::PasswordChanged, client, attempt: &counted, now };
    let verified = verify_password(app, Some(user), current, check).await?;
    let seen = verified.ok_or(ChangePasswordError::InvalidCredentials)?.row;
    let hash = withdraw_if_busy(app, &counted, app.hasher.hash(new).await).await?;

    let event = Event::success(Kind::PasswordChanged, Actor::Client(client));
    let event = event.user(Some(seen.id)).session(caller.session);
    let revoked = write(&app.db, context, async |transaction: &Transaction| {
        let row = lock_if_unchanged(transaction, &seen).await?.ok_or(ChangePasswordError::InvalidCredentials)?;
        let own_session = session::Entity::by_id_live(caller.session, now).lock_exclusive().one(transaction).await;
        own_session.context(context)?.ok_or(ChangePasswordError::InvalidToken)?;

        let mut row = row.into_active_model();
        row.password_hash = Set(hash.clone());
        row.password_changed_at = Set(now);
        row.update(transaction).await.context(context)?;

        app.limits.reset_failures(transaction, &counted, now).await?;
        forget_networks(transaction, seen.id).await?;
        app.limits.remember_network(transaction, &counted, seen.id, now).await?;
        // The lock of the user prevents new sessions.
        let revoked = revoke_others(transaction, seen.id, caller.session).await?;
        app.audit.record(transaction, event, now).await?;
        Ok::<_, ChangePasswordError>(revoked)
    })
    .await?;
    app.metrics.record_sessions_ended(SessionEnd::PasswordChange, revoked);
    Ok(())
}
