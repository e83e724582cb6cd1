//! Registration: anyone may create a user, if the operator allows it.

use crate::{
    domain::{
        app::App,
        audit::Actor,
        name::Name,
        request::Client,
        user::{RegisterError, User, create_user},
    },
    secret::Password,
};

/// Registers a user.
pub async fn register(app: &App, name: &Name, password: &Password, client: &Client) -> Result<User, RegisterError> {
    if !app.registration.open {
        return Err(RegisterError::Closed);
    }
    app.limits.count_registration(&app.db, client, app.clock.now()).await?;
    if name.is_reserved(&app.registration.reserved_names) {
        return Err(RegisterError::UsernameTaken);
    }
    create_user(app, name, password, Actor::Client(client)).await
}
