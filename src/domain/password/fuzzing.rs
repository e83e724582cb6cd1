//! Access to stored hashes for fuzz targets. Compiled only with `--cfg fuzzing`.

use super::{
    argon::{Cost, StoredHash},
    hasher::{Hasher, Verdict},
    normalized::NormalizedPassword,
};
use crate::secret::{Password, PasswordHash};

/// Returns the cost of a PHC string, or `None` if the service does not accept it.
pub fn cost_of(phc: &str) -> Option<Cost> {
    StoredHash::parse(phc).map(|stored| stored.cost)
}

/// Verifies a password against a PHC string, as a login does. Returns `None` on an error.
pub async fn verify(hasher: &Hasher, password: &str, phc: &str) -> Option<Verdict> {
    let password = NormalizedPassword::new(&Password::from(password.to_owned()));
    hasher.verify(password, Some(&PasswordHash::from(phc.to_owned()))).await.ok()
}
