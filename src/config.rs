//! The configuration: `vestibule.toml` and the environment, read once, checked before anything starts.

use std::{
    collections::BTreeMap,
    env, fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use config::{Environment, File, FileFormat};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de};
use url::Url;

use crate::domain::{
    name,
    password::{self, Cost, FLOOR},
};

/// The file that is read when it exists and no other is named.
pub const DEFAULT_FILE: &str = "vestibule.toml";
/// The prefix of every environment variable that is a setting.
const PREFIX: &str = "VESTIBULE";

/// A setting that cannot be used: which one, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    key: String,
    reason: String,
}

impl ConfigError {
    fn new(key: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self { key: key.into(), reason: reason.to_string() }
    }
}

impl fmt::Display for ConfigError {
    /// The key in both spellings, then the reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            return f.write_str(&self.reason);
        }
        write!(f, "{} ({}): {}", self.key, variable(&self.key), self.reason)
    }
}

impl std::error::Error for ConfigError {}

/// The environment variable of a key: `server.listen` is `VESTIBULE_SERVER__LISTEN`.
fn variable(key: &str) -> String {
    format!("{PREFIX}_{}", key.replace('.', "__").to_uppercase())
}

/// All settings, one section each.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The HTTP server.
    pub server: Server,
    /// The database.
    pub database: Database,
    /// The master key.
    pub keys: Keys,
    /// Access tokens.
    pub tokens: Tokens,
    /// Sessions.
    pub sessions: Sessions,
    /// Who may register.
    pub registration: Registration,
    /// Passwords and their hashing.
    pub passwords: Passwords,
    /// The documentation.
    pub docs: Docs,
    /// The log.
    pub log: Log,
}

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Where to listen. With the default list the first address must be had, the others may be missing on this host.
    #[serde(deserialize_with = "list")]
    pub listen: Vec<SocketAddr>,
    /// The URL under which clients reach the service; also the tokens' issuer.
    pub public_url: String,
    /// The largest request body in bytes.
    pub max_body: usize,
    /// How many seconds a request may take, its body included.
    pub request_timeout: u64,
    /// How many connections are served at once.
    pub max_connections: usize,
    /// How many seconds requests in flight may take when the server stops.
    pub shutdown_timeout: u64,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: vec![([127, 0, 0, 1], 5000).into(), ([0, 0, 0, 0, 0, 0, 0, 1], 5000).into()],
            public_url: "http://localhost:5000".to_owned(),
            max_body: 16 * 1024,
            request_timeout: 30,
            max_connections: 1000,
            shutdown_timeout: 25,
        }
    }
}

/// `[database]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// Which one: `sqlite://file`, `postgres://…` or `mysql://…`.
    pub url: SecretString,
    /// How many connections the pool may hold.
    pub max_connections: u32,
}

impl Default for Database {
    fn default() -> Self {
        Self { url: "sqlite://vestibule.db".into(), max_connections: 10 }
    }
}

impl Database {
    /// The file of an SQLite database; `None` for a network database.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        let rest = self.url.expose_secret().strip_prefix("sqlite:")?;
        let path = rest.strip_prefix("//").unwrap_or(rest);
        Some(PathBuf::from(path.split_once('?').map_or(path, |(path, _)| path)))
    }

    /// The URL as it may be shown: without user, password and options.
    #[must_use]
    pub fn shown(&self) -> String {
        match (self.file(), Url::parse(self.url.expose_secret())) {
            (Some(file), _) => format!("sqlite, {}", file.display()),
            (None, Ok(url)) => format!("{}, {}{}", url.scheme(), url.host_str().unwrap_or("?"), url.path()),
            (None, Err(_)) => "unreadable".to_owned(),
        }
    }
}

/// `[keys]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keys {
    /// The master key itself; wins over the file.
    pub master_key: Option<SecretString>,
    /// The file that holds the master key. With SQLite it is made when it is missing.
    pub master_key_file: Option<PathBuf>,
}

/// `[tokens]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tokens {
    /// For whom access tokens are; the public URL unless set.
    pub audience: Option<String>,
    /// The `client_id` of access tokens.
    pub client_id: String,
    /// How many seconds an access token is valid.
    pub access_lifetime: u64,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { audience: None, client_id: "vestibule".to_owned(), access_lifetime: 600 }
    }
}

/// `[sessions]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sessions {
    /// How many seconds a session lasts, whatever happens.
    pub lifetime: u64,
    /// How many seconds it lasts without being used.
    pub idle_lifetime: u64,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { lifetime: 30 * DAY, idle_lifetime: 14 * DAY }
    }
}

/// `[registration]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Registration {
    /// Whether anybody may register.
    pub open: bool,
    /// Names, beside the built-in ones, that only an operator may give.
    #[serde(deserialize_with = "list")]
    pub reserved_names: Vec<String>,
}

impl Default for Registration {
    fn default() -> Self {
        Self { open: true, reserved_names: Vec::new() }
    }
}

/// `[passwords]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Passwords {
    /// The fewest characters of a new password.
    pub min_length: usize,
    /// Memory of one hash in KiB.
    pub memory_kib: u32,
    /// Passes of one hash.
    pub iterations: u32,
    /// Lanes of one hash.
    pub parallelism: u32,
    /// How many threads hash; as many as there are cores unless set.
    pub threads: Option<usize>,
    /// How many passwords may wait; four times the threads unless set.
    pub queue_length: Option<usize>,
    /// How many milliseconds a password may wait, its own hash included.
    pub queue_wait_ms: u64,
    /// Lets the hash cost less than the floor. Only for tests, and only on loopback.
    pub weak_hashing_for_tests: bool,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            min_length: password::MIN_LENGTH,
            memory_kib: FLOOR.memory_kib,
            iterations: FLOOR.iterations,
            parallelism: FLOOR.parallelism,
            threads: None,
            queue_length: None,
            queue_wait_ms: 2000,
            weak_hashing_for_tests: false,
        }
    }
}

impl Passwords {
    /// What one hash costs.
    #[must_use]
    pub const fn cost(&self) -> Cost {
        Cost { memory_kib: self.memory_kib, iterations: self.iterations, parallelism: self.parallelism }
    }
}

/// `[docs]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Docs {
    /// Whether `/docs`, `/openapi.json` and `/openapi.yaml` are served.
    pub enabled: bool,
}

impl Default for Docs {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// `[log]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// What is logged: a level, or directives such as `info,vestibule=debug`.
    pub filter: String,
    /// How it is written.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info,sqlx::postgres::notice=warn".to_owned(), format: LogFormat::Text }
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

const DAY: u64 = 24 * 60 * 60;

impl Config {
    /// Reads the file, if `file` names one or [`DEFAULT_FILE`] exists, then the environment, which wins; then checks.
    ///
    /// # Errors
    /// The first setting that is unknown, has the wrong type or cannot be used.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let source = match file {
            Some(path) => File::from(path).format(FileFormat::Toml).required(true),
            None => File::new(DEFAULT_FILE, FileFormat::Toml).required(false),
        };
        Self::read(source, variables())
    }

    fn read(
        file: impl config::Source + Send + Sync + 'static,
        variables: BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let environment = Environment::with_prefix(PREFIX)
            .prefix_separator("_")
            .separator("__")
            .source(Some(variables.into_iter().collect()));
        let settings = config::Config::builder().add_source(file).add_source(environment).build();
        let config: Self = settings.and_then(config::Config::try_deserialize).map_err(|error| explain(&error))?;
        config.validate()?;
        Ok(config)
    }

    /// Checks what types cannot say.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.server.validate()?;
        self.database.validate()?;
        within("tokens.access_lifetime", self.tokens.access_lifetime, 30, 60 * 60)?;
        present("tokens.client_id", &self.tokens.client_id)?;
        if let Some(audience) = &self.tokens.audience {
            present("tokens.audience", audience)?;
        }
        within("sessions.lifetime", self.sessions.lifetime, 60, 400 * DAY)?;
        within("sessions.idle_lifetime", self.sessions.idle_lifetime, 60, self.sessions.lifetime)?;
        for name in &self.registration.reserved_names {
            name::Name::parse(name)
                .map_err(|error| ConfigError::new("registration.reserved_names", format!("{name}: {error}")))?;
        }
        self.passwords.validate(self.server.is_loopback())?;
        tracing_subscriber::EnvFilter::try_new(&self.log.filter)
            .map(drop)
            .map_err(|error| ConfigError::new("log.filter", error))
    }
}

impl Server {
    /// The public URL without a trailing slash.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.public_url.trim_end_matches('/')
    }

    /// Whether only this host can reach the server.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.listen.iter().all(|address| address.ip().is_loopback())
    }

    fn validate(&self) -> Result<(), ConfigError> {
        if self.listen.is_empty() {
            return Err(ConfigError::new("server.listen", "names no address"));
        }
        let url = Url::parse(&self.public_url).map_err(|error| ConfigError::new("server.public_url", error))?;
        let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || !plain {
            return Err(ConfigError::new(
                "server.public_url",
                "must be an http or https URL without user, query and fragment",
            ));
        }
        within("server.max_body", self.max_body as u64, 4 * 1024, 1024 * 1024)?;
        within("server.request_timeout", self.request_timeout, 1, 300)?;
        within("server.max_connections", self.max_connections as u64, 1, 1_000_000)?;
        within("server.shutdown_timeout", self.shutdown_timeout, 0, 300)
    }
}

impl Database {
    fn validate(&self) -> Result<(), ConfigError> {
        let scheme = self.url.expose_secret().split(':').next().unwrap_or_default();
        match scheme {
            "sqlite" if self.file().is_none_or(|file| file.as_os_str().is_empty() || file == Path::new(":memory:")) => {
                Err(ConfigError::new("database.url", "must name a file, as in sqlite://vestibule.db"))
            }
            "sqlite" => within("database.max_connections", u64::from(self.max_connections), 1, 1000),
            "postgres" | "postgresql" | "mysql" => {
                let url = Url::parse(self.url.expose_secret());
                if !url.is_ok_and(|url| url.has_host() && url.path().len() > 1) {
                    return Err(ConfigError::new("database.url", "must name a host and a database"));
                }
                within("database.max_connections", u64::from(self.max_connections), 1, 1000)
            }
            _ => Err(ConfigError::new("database.url", "must begin with sqlite:, postgres: or mysql:")),
        }
    }
}

impl Passwords {
    fn validate(&self, loopback: bool) -> Result<(), ConfigError> {
        within("passwords.min_length", self.min_length as u64, password::MIN_LENGTH as u64, 64)?;
        within("passwords.queue_wait_ms", self.queue_wait_ms, 100, 30_000)?;
        if let Some(threads) = self.threads {
            within("passwords.threads", threads as u64, 1, 1024)?;
        }
        if let Some(length) = self.queue_length {
            within("passwords.queue_length", length as u64, 1, 1_000_000)?;
        }
        self.cost().validate().map_err(|error| ConfigError::new("passwords.memory_kib", error))?;
        if self.weak_hashing_for_tests {
            return if loopback {
                Ok(())
            } else {
                Err(ConfigError::new("passwords.weak_hashing_for_tests", "is refused unless server.listen is loopback"))
            };
        }
        within("passwords.memory_kib", u64::from(self.memory_kib), u64::from(FLOOR.memory_kib), u64::MAX)?;
        within("passwords.iterations", u64::from(self.iterations), u64::from(FLOOR.iterations), u64::MAX)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one reader of the environment")]
fn variables() -> BTreeMap<String, String> {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect()
}

fn within(key: &str, value: u64, least: u64, most: u64) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let reason = if most == u64::MAX {
        format!("{value} is too little; the least is {least}")
    } else {
        format!("{value} is out of range; it must be {least} to {most}")
    };
    Err(ConfigError::new(key, reason))
}

fn present(key: &str, value: &str) -> Result<(), ConfigError> {
    if value.trim().is_empty() { Err(ConfigError::new(key, "must not be empty")) } else { Ok(()) }
}

/// A list in TOML, or its elements with commas between them in a variable.
fn list<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: std::str::FromStr<Err: fmt::Display>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        Many(Vec<String>),
        One(String),
    }
    let parts = match OneOrMany::deserialize(deserializer)? {
        OneOrMany::Many(parts) => parts,
        OneOrMany::One(text) => text.split(',').map(|part| part.trim().to_owned()).collect(),
    };
    parts
        .iter()
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().map_err(|error| de::Error::custom(format!("{part:?}: {error}"))))
        .collect()
}

/// Finds the key in an error of the library and leaves out what it knows of the value's place.
fn explain(error: &config::ConfigError) -> ConfigError {
    match error {
        config::ConfigError::At { error, key: Some(key), .. } => match explain(error) {
            inner if inner.key.is_empty() => ConfigError::new(key, inner.reason),
            inner => ConfigError::new(format!("{key}.{}", inner.key), inner.reason),
        },
        config::ConfigError::Type { key, unexpected, expected, .. } => {
            ConfigError::new(key.clone().unwrap_or_default(), format!("found {unexpected}, expected {expected}"))
        }
        other => ConfigError::new("", other),
    }
}
