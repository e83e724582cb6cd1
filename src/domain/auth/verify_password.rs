//! The verification of passwords. Every password check goes through this module.
//!
//! Whether or not the user exists, a login does the same work in the same order: the rate limits, the lookup, one hash,
//! and only then the state of the user (OWASP ASVS 6.3.8). For an unknown user, [`Hasher::verify`] computes a dummy
//! hash of the same cost, so that an unknown username takes as long as a known one.
//!
//! [`Hasher::verify`]: crate::domain::password::Hasher::verify

use crate::{
    clock::Timestamp,
    domain::{
        app::App,
        audit::{Actor, Event, Kind, Reason},
        limits::CountedAttempt,
        password::{NormalizedPassword, Verdict},
        request::Client,
    },
    entity::user,
    error::ServiceError,
    ids::UserId,
    secret::Password,
    store::{Context as _, Transaction, write},
};

/// The context of a password check.
#[derive(Clone, Copy)]
pub(super) struct PasswordCheck<'a> {
    /// The kind of its audit event.
    pub(super) kind: Kind,
    /// The client that sent the password.
    pub(super) client: &'a Client,
    /// The login attempt, as the limits counted it.
    pub(super) attempt: &'a CountedAttempt,
    /// When the attempt began.
    pub(super) now: Timestamp,
}

/// An active user whose password was verified.
pub(super) struct VerifiedUser {
    /// The row, as it was before hashing.
    pub(super) row: user::Model,
    /// Whether the stored hash costs less than a new hash.
    pub(super) has_outdated_hash: bool,
}

/// Counts an attempt to verify the password of the user with this name.
///
/// If the hash queue is full, rejects the attempt before any database work. Checks the queue again after the wait for
/// the permit, because it may have filled up.
pub(super) async fn count_attempt(
    app: &App,
    client: &Client,
    name: &str,
    now: Timestamp,
) -> Result<CountedAttempt, ServiceError> {
    app.hasher.check_capacity()?;
    let permit = app.db.acquire_counting_permit().await.context("counting a login attempt")?;
    app.hasher.check_capacity()?;

    let counted = app.limits.count_login_attempt(&app.db, client, name, now).await;
    drop(permit);
    counted
}

/// Verifies a password. Returns `None` if there is no user, the password is wrong, or the user is disabled. The caller
/// must not reveal which.
pub(super) async fn verify_password(
    app: &App,
    user: Option<user::Model>,
    password: &Password,
    check: PasswordCheck<'_>,
) -> Result<Option<VerifiedUser>, ServiceError> {
    let stored = user.as_ref().map(|user| &user.password_hash);
    let verdict = app.hasher.verify(NormalizedPassword::new(password), stored).await;
    let verdict = withdraw_if_busy(app, check.attempt, verdict).await?;

    let id = user.as_ref().map(|user| user.id);
    let reason = match (user, verdict) {
        (Some(row), Verdict::Match { is_outdated }) if row.state == user::State::Active => {
            return Ok(Some(VerifiedUser { row, has_outdated_hash: is_outdated }));
        }
        (Some(_), Verdict::Match { .. }) => Reason::UserDisabled,
        (Some(_), Verdict::Mismatch) => Reason::WrongPassword,
        (None, _) => Reason::UnknownUser,
    };
    audit_rejection(app, id, reason, check).await?;
    Ok(None)
}

/// Records the rejection of a password and, if this attempt caused a lockout, the lockout of the user.
pub(super) async fn audit_rejection(
    app: &App,
    user: Option<UserId>,
    reason: Reason,
    check: PasswordCheck<'_>,
) -> Result<(), ServiceError> {
    let rejected = Event::failure(check.kind, check.client).user(user).reason(reason);
    let locked_out = Event::success(Kind::UserLocked, Actor::Client(check.client)).user(user);

    write(&app.db, "recording a rejected password", async |transaction: &Transaction| {
        app.audit.record(transaction, rejected, check.now).await?;
        if check.attempt.locks_out() {
            app.audit.record(transaction, locked_out, check.now).await?;
        }
        Ok(())
    })
    .await
}

/// Withdraws an attempt whose password was not verified because the hasher was busy.
///
/// # Errors
/// Returns the error of `outcome`, or the error of the database.
pub(super) async fn withdraw_if_busy<T>(
    app: &App,
    attempt: &CountedAttempt,
    outcome: Result<T, ServiceError>,
) -> Result<T, ServiceError> {
    if let Err(ServiceError::Busy { .. }) = outcome {
        app.limits.withdraw_attempt(&app.db, attempt, app.clock.now()).await?;
    }
    outcome
}
