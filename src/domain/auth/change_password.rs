//! The password change of a user.

use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, IntoActiveModel as _, QuerySelect as _};

use super::{
    authenticate::Caller,
    verify_password::{PasswordCheck, audit_rejection, count_attempt, verify_password, withdraw_if_busy},
};
use crate::{
    domain::{
        app::App,
        audit::{Actor, Event, Kind, Reason},
        limits::forget_networks,
        password::{NormalizedPassword, Weakness},
        request::Client,
        session::revoke_others,
        user::{find_by_id, lock_if_unchanged},
    },
    entity::{session, user},
    error::ServiceError,
    metrics::SessionEnd,
    secret::{Password, PasswordHash},
    store::{Context as _, Transaction, write},
};

/// Why a password change fails.
#[derive(Debug, thiserror::Error)]
pub enum ChangePasswordError {
    /// The current password is wrong, or the user was disabled, deleted or given a new password during the check.
    #[error("the current password is incorrect")]
    InvalidCredentials,
    /// The session of the caller was revoked or expired during the change, or the user was deleted before it.
    #[error("the session was revoked or has expired")]
    InvalidToken,
    /// The new password violates the policy.
    #[error("the password {0}")]
    PasswordRejected(#[from] Weakness),
    /// The error that every use case shares.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// Changes the password of the caller, if the current password is right. Revokes all other sessions of the user (OWASP
/// ASVS 7.4.3).
pub async fn change_password(
    app: &App,
    caller: &Caller,
    client: &Client,
    current: &Password,
    new: &Password,
) -> Result<(), ChangePasswordError> {
    let now = app.clock.now();
    let new = NormalizedPassword::new(new);
    // The policy comes first, so that a rejected new password does not count as a failed attempt.
    app.password_policy.check(&new, &caller.user.name()?)?;

    let user = find_by_id(&app.db, caller.user.id).await?.ok_or(ChangePasswordError::InvalidToken)?;
    let counted = count_attempt(app, client, &user.username_canonical, now).await?;
    let check = PasswordCheck { kind: Kind::PasswordChanged, client, attempt: &counted, now };
    let verified = verify_password(app, Some(user), current, check).await?;
    let seen = verified.ok_or(ChangePasswordError::InvalidCredentials)?.row;
    let new_hash = withdraw_if_busy(app, &counted, app.hasher.hash(new).await).await?;

    let change = VerifiedChange { app, caller, check, seen, new_hash };
    let revoked = change.store().await;
    if let Err(ChangePasswordError::InvalidCredentials) = revoked {
        audit_rejection(app, Some(caller.user.id), Reason::UserChanged, check).await?;
    }
    app.metrics.record_sessions_ended(SessionEnd::PasswordChange, revoked?);
    Ok(())
}

/// A password change after the verification of the current password.
struct VerifiedChange<'a> {
    app: &'a App,
    caller: &'a Caller,
    check: PasswordCheck<'a>,
    /// The row of the user, as it was before hashing.
    seen: user::Model,
    new_hash: PasswordHash,
}

impl VerifiedChange<'_> {
    /// Stores the new password, in one transaction with all other changes. Returns the number of revoked sessions.
    async fn store(&self) -> Result<u64, ChangePasswordError> {
        let context = "changing a password";
        let Self { app, caller, check, seen, .. } = self;
        let now = check.now;
        let event = Event::success(Kind::PasswordChanged, Actor::Client(check.client));
        let event = event.user(Some(seen.id)).session(caller.session);

        write(&app.db, context, async |transaction: &Transaction| {
            let row = lock_if_unchanged(transaction, seen).await?.ok_or(ChangePasswordError::InvalidCredentials)?;

            let mut row = row.into_active_model();
            row.password_hash = Set(self.new_hash.clone());
            row.password_changed_at = Set(now);
            row.update(transaction).await.context(context)?;

            app.limits.reset_failures(transaction, check.attempt, now).await?;
            forget_networks(transaction, seen.id).await?;
            app.limits.remember_network(transaction, check.attempt, seen.id, now).await?;

            let own_session = session::Entity::by_id_live(caller.session, now).lock_exclusive();
            let own_session = own_session.one(transaction).await.context(context)?;
            own_session.ok_or(ChangePasswordError::InvalidToken)?;
            // The lock of the user row prevents new sessions.
            let revoked = revoke_others(transaction, seen.id, caller.session).await?;
            app.audit.record(transaction, event, now).await?;
            Ok(revoked)
        })
        .await
    }
}
