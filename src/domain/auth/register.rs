//! Registration: anyone may create a user, unless the operator has disabled it.

use crate::{
    domain::{
        app::App,
        audit::Actor,
        name::{InvalidName, Name},
        password::Weakness,
        request::Client,
        user::{CreateUserError, User, create_user},
    },
    error::ServiceError,
    secret::Password,
};

/// Why a registration fails.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Registration is disabled: only operators can create users.
    #[error("registration is disabled")]
    Closed,
    /// The text matches the pattern of usernames, but it is no username.
    #[error("the username {0}")]
    UsernameRejected(#[from] InvalidName),
    /// The username is reserved, or a user has it in this or another spelling.
    #[error("the username is taken")]
    UsernameTaken,
    /// The password violates the policy.
    #[error("the password {0}")]
    PasswordRejected(Weakness),
    /// The error that every use case shares.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// Registers a user, unless registration is disabled, a rate limit applies or the username is reserved.
pub async fn register(app: &App, username: &str, password: &Password, client: &Client) -> Result<User, RegisterError> {
    if !app.registration.open {
        return Err(RegisterError::Closed);
    }
    let name = Name::parse(username)?;
    app.hasher.check_capacity()?;
    app.limits.count_registration(&app.db, client, app.clock.now()).await?;
    if name.is_reserved(&app.registration.reserved_names) {
        return Err(RegisterError::UsernameTaken);
    }

    let created = create_user(app, &name, password, Actor::Client(client)).await;
    if let Err(CreateUserError::Service(ServiceError::Busy { .. })) = created {
        app.limits.withdraw_registration(&app.db, client, app.clock.now()).await?;
    }
    Ok(created?)
}

impl From<CreateUserError> for RegisterError {
    fn from(error: CreateUserError) -> Self {
        match error {
            CreateUserError::UsernameTaken => Self::UsernameTaken,
            CreateUserError::PasswordRejected(weakness) => Self::PasswordRejected(weakness),
            CreateUserError::Service(error) => Self::Service(error),
        }
    }
}
