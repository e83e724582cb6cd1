//! Sealing: AES-256-GCM under the master key, bound to what is sealed.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

use crate::{ids::KeyId, secret::MasterKey};

/// The seal is broken, or another master key or name made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the master key does not open the stored keys")]
pub struct BrokenSeal;

/// Seals `plain` as the key `id` of `purpose`: nonce, ciphertext, tag.
///
/// # Errors
/// [`BrokenSeal`] when the cipher refuses, which it does for no key and text of ours.
pub(super) fn seal(master: &MasterKey, purpose: &str, id: KeyId, plain: &[u8]) -> Result<Vec<u8>, BrokenSeal> {
    let cipher = RandomizedNonceKey::new(&AES_256_GCM, master.expose()).map_err(|_| BrokenSeal)?;
    let mut text = plain.to_vec();
    let nonce = cipher.seal_in_place_append_tag(Aad::from(bound_to(purpose, id)), &mut text).map_err(|_| BrokenSeal)?;
    Ok([nonce.as_ref().as_slice(), &text].concat())
}

/// Opens what [`seal`] made with the same master key, purpose and id.
///
/// # Errors
/// [`BrokenSeal`].
pub(super) fn open(
    master: &MasterKey,
    purpose: &str,
    id: KeyId,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, BrokenSeal> {
    let cipher = RandomizedNonceKey::new(&AES_256_GCM, master.expose()).map_err(|_| BrokenSeal)?;
    let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(BrokenSeal)?;
    let mut text = Zeroizing::new(text.to_vec());
    let length = cipher
        .open_in_place(Nonce::from(nonce), Aad::from(bound_to(purpose, id)), &mut text)
        .map_err(|_| BrokenSeal)?
        .len();
    text.truncate(length);
    Ok(text)
}

fn bound_to(purpose: &str, id: KeyId) -> Vec<u8> {
    [b"vestibule:", purpose.as_bytes(), b":", id.as_bytes().as_slice()].concat()
}
