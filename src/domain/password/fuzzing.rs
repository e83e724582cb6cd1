//! What fuzz targets may do with stored hashes; only there when the service is built for them (`--cfg fuzzing`).

use super::{
    argon::{Cost, StoredHash},
    hasher::{Hasher, Verdict},
    normalized::NormalizedPassword,
};
use crate::secret::{Password, PasswordHash};

/// What a PHC string asks for, where it is read at all.
pub fn cost_of(phc: &str) -> Option<Cost> {
    StoredHash::parse(phc).map(|stored| stored.cost)
}

/// Checks a password against a PHC string, as a login does; `None` when that fails.
pub async fn verify(hasher: &Hasher, password: &str, phc: &str) -> Option<Verdict> {
    let password = NormalizedPassword::new(&Password::from(password.to_owned()));
    hasher.verify(password, Some(&PasswordHash::from(phc.to_owned()))).await.ok()
}
