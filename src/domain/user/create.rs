//! The creation of users.

use sea_orm::{EntityTrait as _, IntoActiveModel as _};

use super::{password::hash_new_password, record::User};
use crate::{
    domain::{
        app::App,
        audit::{Actor, Event, Kind},
        name::Name,
        password::Weakness,
    },
    entity::user::{self, State},
    error::ServiceError,
    ids::UserId,
    secret::Password,
    store::{Context as _, Transaction, is_unique_violation, write},
};

/// Why a user cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateUserError {
    /// A user has the username, in this or another spelling.
    #[error("the username is taken; choose another one")]
    UsernameTaken,
    /// The password violates the policy.
    #[error("the password {0}")]
    PasswordRejected(#[from] Weakness),
    /// The error that every use case shares.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// Creates a user. Allows reserved names, and does not check whether registration is enabled.
pub async fn create_user(
    app: &App,
    name: &Name,
    password: &Password,
    actor: Actor<'_>,
) -> Result<User, CreateUserError> {
    let context = "storing a user";
    let now = app.clock.now();
    let row = user::Model {
        id: UserId::random(),
        username: name.shown().to_owned(),
        username_canonical: name.canonical().to_owned(),
        password_hash: hash_new_password::<CreateUserError>(app, name, password).await?,
        state: State::Active,
        created_at: now,
        password_changed_at: now,
    };
    let event = Event::success(Kind::UserCreated, actor).user(Some(row.id));

    write(&app.db, context, async |transaction: &Transaction| {
        let insert = user::Entity::insert(row.clone().into_active_model());
        match insert.exec_without_returning(transaction).await {
            Err(error) if is_unique_violation(&error) => return Err(CreateUserError::UsernameTaken),
            outcome => outcome.context(context)?,
        };
        Ok(app.audit.record(transaction, event, now).await?)
    })
    .await?;
    Ok(row.into())
}
