//! `[keys]`

use std::path::PathBuf;

use secrecy::SecretString;

use super::settings_macro::settings;

settings! {
    /// The master key, which encrypts all other keys. All instances over one database share it. A network database needs
    /// one of the two settings.
    pub struct Keys as "keys" {
        /// The master key itself: 32 bytes in base64url, as `vestibule keys generate` prints them. It wins over the file.
        master_key: Option<SecretString> = "",
        /// The file that holds the master key; only its owner may read it. If unset, SQLite uses `vestibule.key`. With
        /// SQLite, the first start creates the file.
        master_key_file: Option<PathBuf> = "",
    }
}
