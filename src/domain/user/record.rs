//! The user, as callers of the domain see it.

use crate::{
    clock::Timestamp,
    domain::name::Name,
    entity::user::{Model, State},
    error::ServiceError,
    ids::UserId,
};

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The identifier, which never changes.
    pub id: UserId,
    /// The username, as the user writes it.
    pub username: String,
    /// Whether an operator has disabled the user.
    pub disabled: bool,
    /// When the user was created.
    pub created_at: Timestamp,
}

impl User {
    /// Parses the username.
    ///
    /// # Errors
    /// Returns [`ServiceError::Internal`] if the stored username is damaged.
    pub fn name(&self) -> Result<Name, ServiceError> {
        Name::parse(&self.username).map_err(|error| ServiceError::internal("reading a username", error))
    }
}

impl From<Model> for User {
    fn from(row: Model) -> Self {
        Self { id: row.id, username: row.username, disabled: row.state == State::Disabled, created_at: row.created_at }
    }
}
