//! The error of an invalid setting, and the environment variable of each setting.

use std::fmt;

/// The prefix of every environment variable that is a setting.
pub(super) const PREFIX: &str = "VESTIBULE_";

/// Returns the environment variable of a setting: `server.listen` is `VESTIBULE_SERVER__LISTEN`.
pub fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

/// The error of an invalid setting, file or variable: the place, the reason and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    place: String,
    reason: String,
}

impl ConfigError {
    /// Creates an error about the setting with this key. The message names the key and its variable.
    pub(super) fn setting(key: &str, reason: impl fmt::Display) -> Self {
        Self::at(format_args!("{key} ({})", variable(key)), reason)
    }

    /// Creates an error about a file, or about a variable that is not a setting.
    pub(super) fn at(place: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self { place: place.to_string(), reason: reason.to_string() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

impl std::error::Error for ConfigError {}
