//! Login: a name and a password for a session and its access token.

use std::time::Duration;

use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction, IntoActiveModel as _, QuerySelect as _};

use super::{
    App,
    database::begin_write,
    fault::{Doing as _, Fault},
    name,
    password::{Normalised, Verdict},
    session::{self, Client},
    token::{self, Bearer},
};
use crate::{
    entity::user,
    secret::{AccessToken, Password, PasswordHash},
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

/// A sign-in that succeeded.
#[derive(Debug)]
pub struct SignedIn {
    /// Opens every operation that asks for a token.
    pub access_token: AccessToken,
    /// How long it is valid.
    pub expires_in: Duration,
}

/// Why a try fails.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Unknown name, wrong password or disabled account: callers cannot tell which.
    #[error("invalid user name or password")]
    InvalidCredentials,
    /// Something underneath failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Signs in by password, the only place that does. Whatever the name, the same work comes in the same order: the
/// look-up of what can be a name at all, one hash, and only then the account's state (OWASP ASVS 6.3.8).
///
/// # Errors
/// [`LoginError`].
pub async fn with_password(app: &App, attempt: Attempt) -> Result<SignedIn, LoginError> {
    let now = app.clock.now();
    let found = match name::canonical(&attempt.username) {
        Some(name) => user::Entity::by_canonical_name(&name).one(&app.db).await.doing("finding an account")?,
        None => None,
    };
    let password = Normalised::new(&attempt.password);
    let phc = found.as_ref().map(|user| &user.password_hash);
    let verdict = app.hashing.verify(password, phc).await?;
    let (Some(user), Verdict::Right { outdated }) = (found, verdict) else {
        return Err(LoginError::InvalidCredentials);
    };
    if user.state != user::State::Active {
        return Err(LoginError::InvalidCredentials);
    }
    let renewed = if outdated { renew(app, &attempt.password).await } else { None };

    let transaction = begin_write(&app.db).await.doing("signing in")?;
    let current = unchanged(&transaction, &user).await?;
    let id = current.id;
    if let Some(hash) = renewed.filter(|_| current.password_hash == user.password_hash) {
        let mut row = current.into_active_model();
        row.password_hash = Set(hash);
        row.update(&transaction).await.doing("renewing a password hash")?;
    }
    let session = session::open(&app.sessions, &transaction, id, attempt.client, now).await?;
    transaction.commit().await.doing("signing in")?;
    let access_token = token::issue(&app.keyring, &app.tokens, Bearer { user: id, session }, now)?;
    Ok(SignedIn { access_token, expires_in: app.tokens.lifetime })
}

/// A new hash in the place of one that costs too little. A login does not fail for the want of it: the next one tries
/// again.
async fn renew(app: &App, password: &Password) -> Option<PasswordHash> {
    let renewed = app.hashing.hash(Normalised::new(password)).await;
    renewed.inspect_err(|fault| tracing::debug!(cause = fault.chain(), "a password hash is not renewed now")).ok()
}

/// Locks the account's row, on databases that lock rows, and makes sure that it was neither disabled, deleted nor given
/// another password while this try was hashing.
async fn unchanged(transaction: &DatabaseTransaction, seen: &user::Model) -> Result<user::Model, LoginError> {
    let current = user::Entity::by_id(seen.id).lock_exclusive().one(transaction).await.doing("locking an account")?;
    let same =
        |current: &user::Model| current.state == seen.state && current.password_changed_at == seen.password_changed_at;
    current.filter(same).ok_or(LoginError::InvalidCredentials)
}
