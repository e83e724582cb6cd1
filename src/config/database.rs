//! `[database]`

use std::{net::Ipv6Addr, path::PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    database_url::DatabaseUrl,
    error::{ConfigError, label},
    settings_macro::settings,
    units::{BoundedDuration, DAY},
    value::{Count, SettingValue},
};

settings! {
    /// The database. Set `url`, or `engine`, `host`, `name` and the settings next to them. A password in `url` must be
    /// percent-encoded. `password` needs no encoding, and can also be combined with a `url` that has no password.
    pub struct Database as "database" {
        /// The URL of the database: `sqlite://FILE` without options, `postgres://USER:PASSWORD@HOST/NAME`, or
        /// `mariadb://USER:PASSWORD@HOST/NAME`.
        url: DatabaseUrl = "sqlite://vestibule.db",
        /// The kind of database server at `host`. For MySQL, write `mariadb`.
        engine: Option<Engine> = "",
        /// The host of the database server: a name, an IP address, or the path of a Unix socket. For PostgreSQL, write
        /// the path of the folder that contains the socket.
        host: Option<String> = "",
        /// The port of the database server. If unset, the default port of the engine applies.
        port: Option<Count<u16, 1, 65535>> = "",
        /// The database user.
        username: Option<String> = "",
        /// The password of the database user, as it is, without percent-encoding.
        password: Option<SecretString> = "",
        /// The name of the database on the server.
        name: Option<String> = "",
        /// Options of the database driver, such as `sslmode=verify-full`, as they would follow the `?` in a URL.
        options: Vec<DriverOption> = "",
        /// The maximum number of connections in the pool.
        max_connections: Count<u32, 1, 1000> = "10",
        /// How long the server waits at startup for a database that is unreachable or locked.
        start_timeout: BoundedDuration<0, DAY> = "1m",
    }
}

impl Database {
    /// Combines the settings into one URL, which `self.url` then contains.
    pub(super) fn resolve(&mut self, is_url_set: bool) -> Result<(), ConfigError> {
        match (self.first_part(), &self.password) {
            (None, None) => {}
            (None, Some(password)) => self.url = self.url_with_password(password)?,
            (Some(part), _) if is_url_set => {
                let reason = "must not be set together with database.url; set only one of the two";
                return Err(ConfigError::setting(part, reason));
            }
            (Some(part), _) => self.url = self.compose_url(part)?,
        }
        Ok(())
    }

    /// Returns the first setting that describes the database without a URL.
    fn first_part(&self) -> Option<&'static str> {
        let parts = [
            (self.engine.is_some(), "database.engine"),
            (self.host.is_some(), "database.host"),
            (self.port.is_some(), "database.port"),
            (self.username.is_some(), "database.username"),
            (self.name.is_some(), "database.name"),
            (!self.options.is_empty(), "database.options"),
        ];
        parts.into_iter().find_map(|(is_set, key)| is_set.then_some(key))
    }

    /// Adds `database.password` to a URL without a password.
    fn url_with_password(&self, password: &SecretString) -> Result<DatabaseUrl, ConfigError> {
        let rejected = |reason: &str| ConfigError::setting("database.password", reason);
        if self.file().is_some() {
            return Err(rejected("is set, but the database is an SQLite file; set database.url or database.host"));
        }
        if self.url.has_password() {
            return Err(rejected("must not be set, because database.url contains a password; remove one of them"));
        }
        let url = self.url.secret().expose_secret();
        let parts = url.split_once("://");
        let (scheme, rest) = parts.ok_or_else(|| rejected("is set, but database.url has no \"://\"; write it"))?;
        let (user, address) = rest.split_once('@').unwrap_or(("", rest));
        if user.is_empty() {
            return Err(rejected("is set, but database.url names no user; write USER@ before its host"));
        }
        DatabaseUrl::parse(&format!("{scheme}://{user}:{}@{address}", encode(password.expose_secret())))
            .map_err(|reason| ConfigError::setting("database.url", reason))
    }

    /// Composes the URL of the settings. `first` is the first of them that is set.
    fn compose_url(&self, first: &str) -> Result<DatabaseUrl, ConfigError> {
        let missing =
            |key| ConfigError::setting(key, format_args!("must be set because {first} is set and database.url is not"));
        let engine = self.engine.ok_or_else(|| missing("database.engine"))?;
        let host = self.host.as_deref().ok_or_else(|| missing("database.host"))?;
        let name = self.name.as_deref().ok_or_else(|| missing("database.name"))?;

        let mut options: Vec<_> =
            self.options.iter().map(|option| (option.name.as_str(), option.value.as_str())).collect();
        let host = if host.starts_with('/') {
            options.push((engine.socket_option(), host));
            "localhost".to_owned()
        } else {
            check_host(host).map_err(|reason| ConfigError::setting("database.host", reason))?
        };
        let password = self.password.as_ref().map(|password| encode(password.expose_secret()));
        let user = match (self.username.as_deref().map(encode), password) {
            (None, None) => String::new(),
            (None, Some(_)) => return Err(missing("database.username")),
            (Some(username), None) => format!("{username}@"),
            (Some(username), Some(password)) => format!("{username}:{password}@"),
        };
        let port = self.port.map(|port| format!(":{}", port.get())).unwrap_or_default();
        let options: Vec<_> =
            options.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let query = if options.is_empty() { String::new() } else { format!("?{}", options.join("&")) };
        let scheme = engine.scheme();
        DatabaseUrl::parse(&format!("{scheme}://{user}{host}{port}/{}{query}", encode(name)))
            .map(DatabaseUrl::composed)
            .map_err(|reason| ConfigError::setting("database.options", reason))
    }

    /// Returns the file of an SQLite database, or `None` for a network database.
    pub fn file(&self) -> Option<PathBuf> {
        self.url.file().map(PathBuf::from)
    }

    /// Returns the files that options of the URL name, such as the certificate of the server's authority.
    pub fn option_files(&self) -> Vec<PathBuf> {
        self.url.option_files().into_iter().map(PathBuf::from).collect()
    }

    /// Describes the database without user, password and options.
    pub fn describe(&self) -> String {
        match (self.file(), self.url.address()) {
            (Some(file), _) => format!("sqlite, {}", file.display()),
            (None, Some(address)) => {
                format!("{}, {}/{}", self.url.scheme(), address.host, address.database.unwrap_or_default())
            }
            (None, None) => "unreadable".to_owned(),
        }
    }

    /// Returns the setting of the database and its description, for messages.
    pub fn label(&self) -> String {
        let setting = self.first_part().map_or("database.url", |_| "database.host");
        format!("{}: {}", label(setting), self.describe())
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Returns the host as a URL contains it.
fn check_host(host: &str) -> Result<String, String> {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if address.parse::<Ipv6Addr>().is_ok() {
        return Ok(format!("[{address}]"));
    }
    if host.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_')) {
        Ok(host.to_owned())
    } else {
        Err("is not a host name or an IP address; write the port in database.port".to_owned())
    }
}

/// A kind of database server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// MariaDB and MySQL.
    MariaDb,
}

impl Engine {
    const fn scheme(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MariaDb => "mysql",
        }
    }

    /// Returns the option of the driver that contains the path of a Unix socket.
    const fn socket_option(self) -> &'static str {
        match self {
            Self::Postgres => "host",
            Self::MariaDb => "socket",
        }
    }
}

impl SettingValue for Engine {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "postgres" | "postgresql" => Ok(Self::Postgres),
            "mariadb" | "mysql" => Ok(Self::MariaDb),
            _ => Err("is not a database server; write postgres or mariadb".to_owned()),
        }
    }

    fn to_toml(&self) -> toml::Value {
        match self {
            Self::Postgres => "postgres",
            Self::MariaDb => "mariadb",
        }
        .into()
    }

    fn expected() -> String {
        "`postgres` or `mariadb`".to_owned()
    }
}

/// An option of the database driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriverOption {
    name: String,
    value: String,
}

impl SettingValue for DriverOption {
    fn parse(text: &str) -> Result<Self, String> {
        let Some((name, value)) = text.split_once('=') else {
            return Err("is not an option; write one such as sslmode=verify-full".to_owned());
        };
        match name {
            "host" | "hostaddr" | "socket" => Err("must be set in database.host".to_owned()),
            "port" => Err("must be set in database.port".to_owned()),
            "user" => Err("must be set in database.username".to_owned()),
            "password" => Err("must be set in database.password".to_owned()),
            "dbname" => Err("must be set in database.name".to_owned()),
            _ => Ok(Self { name: name.to_owned(), value: value.to_owned() }),
        }
    }

    /// An option may be a password that belongs elsewhere.
    fn is_secret(text: &str) -> bool {
        text.to_ascii_lowercase().contains("pass")
    }

    fn to_toml(&self) -> toml::Value {
        format!("{}={}", self.name, self.value).into()
    }

    fn expected() -> String {
        "an option such as `sslmode=verify-full`".to_owned()
    }
}
