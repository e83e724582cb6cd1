//! Pseudonyms: keyed hashes in place of names and IP addresses that the service only needs to recognize.

use std::fmt;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// A generator of pseudonyms: hashes a text and its purpose under a key.
#[derive(Clone)]
pub struct Pseudonyms {
    key: hmac::Key,
}

impl Pseudonyms {
    /// Creates a generator with this key.
    pub const fn new(key: hmac::Key) -> Self {
        Self { key }
    }

    /// Returns the HMAC-SHA-256 of a purpose and a text in base64url, 43 characters.
    pub fn hash(&self, purpose: &str, text: &str) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(purpose.as_bytes());
        context.update(&[0]);
        context.update(text.as_bytes());
        URL_SAFE_NO_PAD.encode(context.sign())
    }
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonyms([REDACTED])")
    }
}
