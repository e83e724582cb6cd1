//! `[keys]`

use std::path::PathBuf;

use secrecy::SecretString;

use super::settings_macro::settings;

settings! {
    /// The master key, which encrypts all other keys. All instances that use the same database share it. A network
    /// database requires one of the two settings.
    pub struct Keys as "keys" {
        /// The master key: 32 bytes in base64url, as printed by `vestibule keys generate`. It takes precedence over the
        /// file.
        master_key: Option<SecretString> = "",
        /// The file that contains the master key. Only its owner may have access. With SQLite, the default is
        /// `vestibule.key`, and the first start creates the file.
        master_key_file: Option<PathBuf> = "",
    }
}
