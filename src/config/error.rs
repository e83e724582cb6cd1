//! The error of an invalid setting, and the environment variable of each setting.

use std::fmt;

use super::shown::describe;

/// The prefix of every environment variable that is a setting.
pub(super) const PREFIX: &str = "VESTIBULE_";

/// Returns the environment variable of a setting: `server.listen` is `VESTIBULE_SERVER__LISTEN`.
pub fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

/// Returns the name of a setting for messages: its key and its variable.
pub fn label(key: &str) -> String {
    format!("{key} ({})", variable(key))
}

/// The error of an invalid setting, file or variable: the place, the reason and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    place: String,
    reason: String,
    /// The key of the setting that breaks a rule, if the reason does not begin with its value yet.
    key: Option<&'static str>,
}

impl ConfigError {
    /// Creates an error about a setting that breaks a rule. [`Self::with_value`] adds its value.
    pub(super) fn setting(key: &'static str, reason: impl fmt::Display) -> Self {
        Self { place: label(key), reason: reason.to_string(), key: Some(key) }
    }

    /// Creates an error about a file, about a variable that is not a setting, or about a setting whose value the reason
    /// contains.
    pub(super) fn at(place: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self { place: place.to_string(), reason: reason.to_string(), key: None }
    }

    /// Inserts the value of the setting before the reason. `value` returns `None` if the setting is secret or unset.
    pub(super) fn with_value(self, value: impl FnOnce(&str) -> Option<String>) -> Self {
        match self.key.and_then(value) {
            Some(value) => Self::at(self.place, describe(&value, false, &self.reason)),
            None => self,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

impl std::error::Error for ConfigError {}
