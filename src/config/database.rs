//! `[database]`

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{
    settings_macro::settings,
    units::{BoundedDuration, DAY},
    value::{Count, REDACTED, SettingValue},
};

settings! {
    /// The database.
    pub struct Database as "database" {
        /// The URL of the database: `sqlite://FILE` without options, `postgres://USER:PASSWORD@HOST/NAME`, or
        /// `mysql://USER:PASSWORD@HOST/NAME` for MariaDB.
        url: DatabaseUrl = "sqlite://vestibule.db",
        /// The maximum number of connections in the pool.
        max_connections: Count<u32, 1, 1000> = "10",
        /// How long the server waits at startup for a database that is unreachable or locked.
        start_timeout: BoundedDuration<0, DAY> = "1m",
    }
}

impl Database {
    /// Returns the file of an SQLite database, or `None` for a network database.
    pub fn file(&self) -> Option<PathBuf> {
        self.url.file().map(PathBuf::from)
    }

    /// Describes the database without user, password and options.
    pub fn describe(&self) -> String {
        match (self.file(), self.url.parsed()) {
            (Some(file), _) => format!("sqlite, {}", file.display()),
            (None, Some(url)) => format!("{}, {}{}", url.scheme(), url.host_str().unwrap_or("?"), url.path()),
            (None, None) => "unreadable".to_owned(),
        }
    }
}

/// The URL of a database, which may contain a password.
#[derive(Clone, Debug)]
pub struct DatabaseUrl(SecretString);

impl DatabaseUrl {
    /// Returns the whole URL.
    pub const fn secret(&self) -> &SecretString {
        &self.0
    }

    /// Returns whether the URL contains a password, in its user part or in an option.
    pub fn has_password(&self) -> bool {
        self.parsed()
            .is_some_and(|url| url.password().is_some() || url.query_pairs().any(|(name, _)| is_password(&name)))
    }

    fn file(&self) -> Option<&str> {
        let rest = self.0.expose_secret().strip_prefix("sqlite:")?;
        Some(rest.strip_prefix("//").unwrap_or(rest))
    }

    fn parsed(&self) -> Option<Url> {
        Url::parse(self.0.expose_secret()).ok()
    }
}

fn is_password(option: &str) -> bool {
    option.to_ascii_lowercase().contains("pass")
}

/// Errors never contain the URL.
impl SettingValue for DatabaseUrl {
    fn parse(text: &str) -> Result<Self, String> {
        let url = Self(text.into());
        let scheme = text.split_once(':').map_or(text, |(scheme, _)| scheme);
        match scheme {
            // The driver would interpret options and percent signs.
            "sqlite" if url.file().is_some_and(|file| !file.is_empty() && !file.contains(['?', '%', ':'])) => Ok(url),
            "sqlite" => {
                Err("must name a file, without options and percent signs; write sqlite://vestibule.db".to_owned())
            }
            "postgres" | "postgresql" | "mysql" => match url.parsed() {
                Some(parsed) if parsed.has_host() && parsed.path().len() > 1 => Ok(url),
                _ => Err(format!("must name a host and a database; write {scheme}://USER:PASSWORD@HOST/NAME")),
            },
            _ => Err("must begin with sqlite:, postgres: or mysql:".to_owned()),
        }
    }

    fn to_toml(&self) -> toml::Value {
        match self.parsed() {
            Some(_) if self.file().is_some() || !self.has_password() => self.0.expose_secret().into(),
            Some(url) => redact_passwords(url).unwrap_or_else(|| REDACTED.to_owned()).into(),
            None => REDACTED.into(),
        }
    }

    fn expected() -> String {
        "the URL of a database".to_owned()
    }
}

/// Redacts the password and every option that may be one.
fn redact_passwords(mut url: Url) -> Option<String> {
    if url.password().is_some() {
        url.set_password(Some(REDACTED)).ok()?;
    }
    let redact = |(name, value): (String, String)| {
        let value = if is_password(&name) { REDACTED.to_owned() } else { value };
        (name, value)
    };
    let options: Vec<_> = url.query_pairs().into_owned().map(redact).collect();
    if !options.is_empty() {
        url.query_pairs_mut().clear().extend_pairs(options);
    }
    Some(url.into())
}
