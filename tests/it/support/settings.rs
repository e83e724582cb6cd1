//! The settings of a test, as text. They are parsed and checked like those of an operator.

use std::{collections::BTreeMap, fmt::Display};

use tempfile::TempDir;
use vestibule::config::{self, Config};

/// The limits that apply only to tests about limits.
const LIMITS: [&str; 7] = [
    "limits.login_burst",
    "limits.logins_per_minute",
    "limits.registrations_per_hour",
    "limits.rejected_refreshes_per_minute",
    "limits.refreshes_per_minute",
    "limits.free_failures",
    "limits.lockout_threshold",
];

/// Settings by key. An empty text selects the default.
#[derive(Clone, Default)]
pub(crate) struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Returns settings that hash cheaply, limit nothing, and listen on a loopback port that the system chooses.
    pub(crate) fn for_tests() -> Self {
        let settings = Self::default()
            .with("server.listen", "127.0.0.1:0")
            .with("passwords.weak_hashing_for_tests", true)
            .with("passwords.hash_memory", "64KiB")
            .with("passwords.hash_iterations", 1);
        LIMITS.into_iter().fold(settings, |settings, limit| settings.with(limit, 1_000_000))
    }

    /// Returns the test settings with the database and the master key in a folder.
    pub(crate) fn in_folder(folder: &TempDir) -> Self {
        let database = folder.path().join("vestibule.db");
        Self::for_tests()
            .with("database.url", format!("sqlite://{}", database.display()))
            .with("keys.master_key_file", folder.path().join("vestibule.key").display())
    }

    /// Sets one setting.
    pub(crate) fn with(mut self, key: &str, value: impl Display) -> Self {
        self.0.insert(key.to_owned(), value.to_string());
        self
    }

    /// Sets the master key itself, instead of its file.
    pub(crate) fn with_master_key(self, key: &str) -> Self {
        self.with("keys.master_key_file", "").with("keys.master_key", key)
    }

    /// Hashes on one slow thread with one place in the queue.
    pub(crate) fn slow_hashing(self) -> Self {
        self.with("passwords.hash_threads", 1)
            .with("passwords.queue_length", 1)
            .with("passwords.queue_timeout", "30s")
            .with("passwords.hash_memory", "256MiB")
            .with("passwords.hash_iterations", 8)
    }

    /// Selects the default limits.
    pub(crate) fn default_limits(self) -> Self {
        LIMITS.into_iter().fold(self, |settings, limit| settings.with(limit, ""))
    }

    /// Returns the environment variables of these settings.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (String, String)> {
        self.0.iter().map(|(key, value)| (config::variable(key), value.clone()))
    }

    /// Parses the settings.
    #[track_caller]
    pub(crate) fn config(&self) -> Config {
        Config::parse("", self.variables()).unwrap()
    }
}
