//! Sessions: opened at login, checked with every access token.

use std::{net::IpAddr, time::Duration};

use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait};

use super::{
    App,
    account::Account,
    fault::{Doing as _, Fault},
    token::{self, Bearer},
};
use crate::{
    clock::Timestamp,
    entity::{session, user},
    ids::{SessionId, UserId},
    secret::AccessToken,
};

/// The most characters of a client's own name that are kept.
const USER_AGENT_LENGTH: usize = 256;

/// How long sessions last.
#[derive(Clone, Copy, Debug)]
pub struct SessionSettings {
    /// From login, whatever happens.
    pub lifetime: Duration,
    /// From the last use.
    pub idle_lifetime: Duration,
}

/// Where a request came from.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its address.
    pub address: IpAddr,
    /// What it calls itself.
    pub user_agent: Option<String>,
}

/// Who makes a request: an active account in a live session.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The account.
    pub account: Account,
    /// Its session.
    pub session: SessionId,
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

/// Finds out who presents an access token. The session and the account are read each time, so that what ends them
/// counts from the next request on.
///
/// # Errors
/// [`AuthenticateError`].
pub async fn authenticate(app: &App, token: &AccessToken) -> Result<Caller, AuthenticateError> {
    let now = app.clock.now();
    let Bearer { user, session } =
        token::verify(&app.keyring, &app.tokens, token, now).map_err(|_| AuthenticateError::InvalidToken)?;
    let live = session::Entity::by_owner(session, user, now).one(&app.db).await.doing("reading a session")?;
    let owner = user::Entity::by_id(user).one(&app.db).await.doing("reading an account")?;
    match (live, owner) {
        (Some(_), Some(owner)) if owner.state == user::State::Active => Ok(Caller { account: owner.into(), session }),
        _ => Err(AuthenticateError::InvalidToken),
    }
}

/// Adds a session to the writes of a login.
///
/// # Errors
/// The database's.
pub(super) async fn open(
    settings: &SessionSettings,
    connection: &impl ConnectionTrait,
    user: UserId,
    client: Client,
    now: Timestamp,
) -> Result<SessionId, Fault> {
    let id = SessionId::random();
    let row = session::ActiveModel {
        id: Set(id),
        user_id: Set(user),
        created_at: Set(now),
        last_used_at: Set(now),
        expires_at: Set(now + settings.lifetime),
        idle_expires_at: Set(now + settings.idle_lifetime),
        address: Set(client.address.to_canonical().to_string()),
        user_agent: Set(client.user_agent.map(|name| name.chars().take(USER_AGENT_LENGTH).collect())),
    };
    session::Entity::insert(row).exec_without_returning(connection).await.doing("opening a session")?;
    Ok(id)
}
