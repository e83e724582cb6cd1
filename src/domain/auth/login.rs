//! Login: opens a session for a username and password, and issues its tokens.

use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, IntoActiveModel as _};

use super::{
    authenticate::add_identity_to_span,
    verify_password::{PasswordCheck, VerifiedUser, audit_rejection, count_attempt, verify_password},
};
use crate::{
    clock::Timestamp,
    domain::{
        app::App,
        audit::{Actor, Event, Kind, Reason},
        crypto::random_bytes,
        limits::CountedAttempt,
        name::canonicalize,
        password::NormalizedPassword,
        request::Client,
        session::{OpenedSession, open_session},
        token::{TokenPair, issue_pair},
        user::{find_by_name, lock_if_unchanged},
    },
    entity::user,
    error::ServiceError,
    metrics::{LoginOutcome, SessionEnd},
    secret::{Password, PasswordHash, SessionSecret},
    store::{Context as _, Transaction, write},
};

/// A login attempt.
#[derive(Debug)]
pub struct LoginAttempt {
    /// The username, in any spelling.
    pub username: String,
    /// The password.
    pub password: Password,
    /// The client that makes the attempt.
    pub client: Client,
}

/// Why a login fails.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The username is unknown, the password is wrong, or the user is disabled. The response does not reveal which.
    #[error("invalid username or password")]
    InvalidCredentials,
    /// The error that every use case shares.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// Logs a user in with a password. No other use case opens sessions.
pub async fn login(app: &App, attempt: LoginAttempt) -> Result<TokenPair, LoginError> {
    let outcome = try_login(app, &attempt).await;
    app.metrics.record_login(match &outcome {
        Ok(_) => LoginOutcome::Success,
        Err(LoginError::InvalidCredentials) => LoginOutcome::InvalidCredentials,
        Err(LoginError::Service(ServiceError::RateLimited { .. })) => LoginOutcome::RateLimited,
        Err(LoginError::Service(ServiceError::Busy { .. })) => LoginOutcome::Busy,
        Err(LoginError::Service(ServiceError::Unavailable { .. } | ServiceError::Internal { .. })) => {
            LoginOutcome::Failure
        }
    });
    outcome
}

async fn try_login(app: &App, attempt: &LoginAttempt) -> Result<TokenPair, LoginError> {
    let now = app.clock.now();
    let client = &attempt.client;

    // Keyboards add spaces. A text that cannot be a username is counted as it was sent.
    let username = attempt.username.trim();
    let name = canonicalize(username);
    let counted = count_attempt(app, client, name.as_deref().unwrap_or(username), now).await?;
    let user = match &name {
        Some(name) => find_by_name(&app.db, name).await?,
        None => None,
    };

    let check = PasswordCheck { kind: Kind::Login, client, attempt: &counted, now };
    let verified = verify_password(app, user, &attempt.password, check).await?;
    let verified = verified.ok_or(LoginError::InvalidCredentials)?;
    let new_hash = rehash_if_outdated(app, &verified, &attempt.password).await;

    let secret = SessionSecret::from_bytes(random_bytes()?);
    let login = VerifiedLogin { app, client, counted: &counted, verified: &verified, new_hash, now };
    let opened = login.open_session(&secret).await;
    if let Err(LoginError::InvalidCredentials) = opened {
        audit_rejection(app, Some(verified.row.id), Reason::UserChanged, check).await?;
    }
    let OpenedSession { session, displaced } = opened?;

    app.metrics.record_session_opened();
    app.metrics.record_sessions_ended(SessionEnd::SessionLimit, displaced);
    add_identity_to_span(session.user_id, session.id);
    Ok(issue_pair(&app.keyring.current(), &app.tokens, &session, &secret, now)?)
}

/// A login after the verification of its password.
struct VerifiedLogin<'a> {
    app: &'a App,
    client: &'a Client,
    counted: &'a CountedAttempt,
    verified: &'a VerifiedUser,
    new_hash: Option<PasswordHash>,
    now: Timestamp,
}

impl VerifiedLogin<'_> {
    /// Opens the session, in one transaction with all other changes of a successful login.
    async fn open_session(&self, secret: &SessionSecret) -> Result<OpenedSession, LoginError> {
        let Self { app, client, counted, verified, now, .. } = *self;
        let user = verified.row.id;

        write(&app.db, "logging in", async |transaction: &Transaction| {
            let row = lock_if_unchanged(transaction, &verified.row).await?.ok_or(LoginError::InvalidCredentials)?;
            self.store_new_hash(transaction, row).await?;
            app.limits.reset_failures(transaction, counted, now).await?;
            app.limits.remember_network(transaction, counted, user, now).await?;

            let opened = open_session(transaction, &app.sessions, user, client, secret, now).await?;
            let event = Event::success(Kind::Login, Actor::Client(client)).user(Some(user));
            app.audit.record(transaction, event.session(opened.session.id), now).await?;
            Ok(opened)
        })
        .await
    }

    /// Stores the new hash, unless another login has stored a new hash in the meantime.
    async fn store_new_hash(&self, transaction: &Transaction, row: user::Model) -> Result<(), ServiceError> {
        let Some(new_hash) = &self.new_hash else { return Ok(()) };
        if row.password_hash != self.verified.row.password_hash {
            return Ok(());
        }
        let mut row = row.into_active_model();
        row.password_hash = Set(new_hash.clone());
        row.update(transaction).await.context("storing a new password hash").map(drop)
    }
}

/// Hashes the password again if its stored hash costs less than a new hash. Rehashing is best effort: if it fails, the
/// next login retries it.
async fn rehash_if_outdated(app: &App, verified: &VerifiedUser, password: &Password) -> Option<PasswordHash> {
    if !verified.has_outdated_hash {
        return None;
    }
    match app.hasher.hash(NormalizedPassword::new(password)).await {
        Ok(hash) => Some(hash),
        Err(error) => {
            tracing::debug!(
                cause = error.chain(),
                "cannot replace an outdated password hash; retrying at the next login"
            );
            None
        }
    }
}
