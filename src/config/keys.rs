//! `[keys]`

use std::path::PathBuf;

use secrecy::SecretString;

use super::settings_macro::settings;

settings! {
    /// The master key, which encrypts all other keys. All instances that use the same database share it. A network
    /// database requires one of the two settings.
    pub struct Keys as "keys" {
        /// The master key: 32 bytes in base64url, as printed by `vestibule keys generate`.
        master_key: Option<SecretString> = "",
        /// The file that contains `keys.master_key`. Set only one of the two. The file must belong to the user of the
        /// server, with mode 0600 or stricter, or to root, with mode 0640 or stricter. With SQLite, the default is
        /// `vestibule.key`, and the first start creates the file.
        master_key_file: Option<PathBuf> = "",
    }
}
