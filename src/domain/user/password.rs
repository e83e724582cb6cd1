//! The hashing of new passwords.

use crate::{
    domain::{
        app::App,
        name::Name,
        password::{NormalizedPassword, Weakness},
    },
    error::ServiceError,
    secret::{Password, PasswordHash},
};

/// Checks a new password against the password policy and hashes it.
///
/// # Errors
/// Returns the error of the policy or of the hasher.
pub async fn hash_new_password<E>(app: &App, name: &Name, password: &Password) -> Result<PasswordHash, E>
where
    E: From<Weakness> + From<ServiceError>,
{
    let password = NormalizedPassword::new(password);
    app.password_policy.check(&password, name)?;
    Ok(app.hasher.hash(password).await?)
}
