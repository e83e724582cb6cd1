//! Keys: sealed in the database under the master key, and opened into the keyring.

mod keyring;
mod keys;
mod pseudonym;
mod random;
mod sealed_keys;
mod sealing;

pub use self::{
    keyring::{KeySet, Keyring, SharedKeyring},
    keys::{PublicKey, SigningKey},
    pseudonym::Pseudonyms,
    random::random_bytes,
    sealed_keys::{KeyringError, NewKey, StoredKeys, are_stored, check_never_used, has_sealed_keys},
    sealing::UnsealError,
};
