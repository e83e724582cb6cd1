//! Sealing: AES-256-GCM under the master key, with the purpose and the key identifier as associated data.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

use crate::{ids::KeyId, secret::MasterKey};

/// The error of a sealed key that the master key cannot open: the master key is another one, or the sealed key was
/// altered or moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the master key cannot decrypt the keys in the database")]
pub struct UnsealError;

/// Seals the key `id` of `purpose`. Returns the nonce, the ciphertext and the tag.
///
/// # Errors
/// Returns [`UnsealError`] if the cipher fails, which cannot happen for keys of these lengths.
pub(super) fn seal(master: &MasterKey, purpose: &str, id: KeyId, plain: &[u8]) -> Result<Vec<u8>, UnsealError> {
    let cipher = RandomizedNonceKey::new(&AES_256_GCM, master.expose()).map_err(|_| UnsealError)?;
    // The capacity includes the tag, because a reallocation would leave a copy of the key in memory.
    let mut text = Vec::with_capacity(plain.len().saturating_add(AES_256_GCM.tag_len()));
    text.extend_from_slice(plain);
    let nonce =
        cipher.seal_in_place_append_tag(Aad::from(associated_data(purpose, id)), &mut text).map_err(|_| UnsealError)?;
    Ok([nonce.as_ref().as_slice(), &text].concat())
}

/// Opens a key that [`seal`] returned for the same master key, purpose and identifier.
pub(super) fn unseal(
    master: &MasterKey,
    purpose: &str,
    id: KeyId,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
    let cipher = RandomizedNonceKey::new(&AES_256_GCM, master.expose()).map_err(|_| UnsealError)?;
    let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(UnsealError)?;
    let mut text = Zeroizing::new(text.to_vec());
    let length = cipher
        .open_in_place(Nonce::from(nonce), Aad::from(associated_data(purpose, id)), &mut text)
        .map_err(|_| UnsealError)?
        .len();
    text.truncate(length);
    Ok(text)
}

fn associated_data(purpose: &str, id: KeyId) -> Vec<u8> {
    [b"vestibule:", purpose.as_bytes(), b":", id.as_bytes().as_slice()].concat()
}
