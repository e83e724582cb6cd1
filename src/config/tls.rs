//! `[tls]`

use std::path::PathBuf;

use super::{error::ConfigError, server::Server, settings_macro::settings};

settings! {
    /// TLS without a proxy. To serve HTTPS, set both files. The server reloads them within a minute after they change.
    pub struct Tls as "tls" {
        /// The PEM file of the certificate and its intermediate certificates.
        certificate_file: Option<PathBuf> = "",
        /// The PEM file of the certificate's private key.
        key_file: Option<PathBuf> = "",
    }
}

impl Tls {
    pub(super) fn validate(&self, server: &Server) -> Result<(), ConfigError> {
        match (&self.certificate_file, &self.key_file) {
            (None, None) => Ok(()),
            (None, Some(_)) => {
                Err(ConfigError::setting("tls.certificate_file", "must be set because tls.key_file is set"))
            }
            (Some(_), None) => {
                Err(ConfigError::setting("tls.key_file", "must be set because tls.certificate_file is set"))
            }
            (Some(_), Some(_)) if server.public_url.is_https() => Ok(()),
            (Some(_), Some(_)) => Err(ConfigError::setting(
                "server.public_url",
                "must begin with https: because tls.certificate_file is set",
            )),
        }
    }
}
