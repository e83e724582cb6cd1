//! The configuration: `vestibule.toml` and the environment, read once, checked before anything starts.

mod check;
#[cfg(fuzzing)]
pub mod fuzzing;
mod read;

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use self::read::{flag, list, number, optional_number, text};
use crate::domain::{
    password::{self, Cost, MIN_COST},
    session,
};

/// The file that is read when it exists and no other is named.
pub const DEFAULT_FILE: &str = "vestibule.toml";

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
    format!("{}_{}", read::PREFIX, key.replace('.', "__").to_uppercase())
}

/// All settings, one section each.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The HTTP server.
    pub server: Server,
    /// TLS without a proxy.
    pub tls: Tls,
    /// The database.
    pub database: Database,
    /// The master key.
    pub keys: Keys,
    /// Access tokens.
    pub tokens: Tokens,
    /// Sessions.
    pub sessions: Sessions,
    /// How much is let through.
    pub throttle: Throttle,
    /// The audit trail.
    pub audit: Audit,
    /// Who may register.
    pub registration: Registration,
    /// Passwords and their hashing.
    pub passwords: Passwords,
    /// The documentation.
    pub docs: Docs,
    /// The log.
    pub log: Log,
    /// Metrics.
    pub metrics: Metrics,
    /// Traces.
    pub traces: Traces,
}

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Where to listen. Of the default list only the first address must be had; of any other list all must.
    #[serde(deserialize_with = "list")]
    pub listen: Vec<SocketAddr>,
    /// The URL under which clients reach the service; also the tokens' issuer.
    #[serde(deserialize_with = "text")]
    pub public_url: String,
    /// The largest request body in bytes.
    #[serde(deserialize_with = "number")]
    pub max_body: usize,
    /// How many seconds a request may take, its body included.
    #[serde(deserialize_with = "number")]
    pub request_timeout: u64,
    /// How many seconds the body of a request may take to arrive.
    #[serde(deserialize_with = "number")]
    pub body_timeout: u64,
    /// After how many seconds without a request a connection is closed.
    #[serde(deserialize_with = "number")]
    pub idle_timeout: u64,
    /// How many connections are served at once.
    #[serde(deserialize_with = "number")]
    pub max_connections: usize,
    /// How many seconds the server goes on after a SIGTERM while `/health/ready` sends others elsewhere.
    #[serde(deserialize_with = "number")]
    pub shutdown_delay: u64,
    /// How many seconds requests in flight may take when the server stops.
    #[serde(deserialize_with = "number")]
    pub shutdown_timeout: u64,
    /// The networks of the proxies that are believed about where a request came from.
    #[serde(deserialize_with = "list")]
    pub trusted_proxies: Vec<IpNet>,
    /// The origins whose pages may call the service from a browser.
    #[serde(deserialize_with = "list")]
    pub cors_origins: Vec<String>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: vec![([127, 0, 0, 1], 5000).into(), ([0, 0, 0, 0, 0, 0, 0, 1], 5000).into()],
            public_url: "http://localhost:5000".to_owned(),
            max_body: 16 * 1024,
            request_timeout: 30,
            body_timeout: 15,
            idle_timeout: 60,
            max_connections: 1000,
            shutdown_delay: 5,
            shutdown_timeout: 25,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
        }
    }
}

/// `[tls]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The file of the certificate and those that lead from it to a root, in PEM.
    pub certificate_file: Option<PathBuf>,
    /// The file of its private key, in PEM.
    pub key_file: Option<PathBuf>,
}

/// `[database]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// Which one: `sqlite://file`, `postgres://…` or `mysql://…`.
    pub url: SecretString,
    /// How many connections the pool may hold.
    #[serde(deserialize_with = "number")]
    pub max_connections: u32,
    /// For how many seconds a server that starts waits for a database that cannot be reached.
    #[serde(deserialize_with = "number")]
    pub start_timeout: u64,
}

impl Default for Database {
    fn default() -> Self {
        Self { url: "sqlite://vestibule.db".into(), max_connections: 10, start_timeout: 60 }
    }
}

impl Database {
    /// The file of an SQLite database; `None` for a network database.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        let rest = self.url.expose_secret().strip_prefix("sqlite:")?;
        Some(PathBuf::from(rest.strip_prefix("//").unwrap_or(rest)))
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
    #[serde(deserialize_with = "text")]
    pub client_id: String,
    /// How many seconds an access token is valid.
    #[serde(deserialize_with = "number")]
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
    #[serde(deserialize_with = "number")]
    pub lifetime: u64,
    /// How many seconds it lasts without being used; 14 days, and never more than `lifetime`, unless set.
    #[serde(deserialize_with = "optional_number")]
    pub idle_lifetime: Option<u64>,
    /// For how many seconds a refresh token that was used answers the same successor again.
    #[serde(deserialize_with = "number")]
    pub refresh_grace: u64,
    /// The most live sessions of an account; one more ends the oldest.
    #[serde(deserialize_with = "number")]
    pub max_per_account: u64,
}

impl Sessions {
    /// How many seconds a session lasts without being used.
    #[must_use]
    pub fn idle_lifetime(&self) -> u64 {
        self.idle_lifetime.unwrap_or_else(|| (14 * DAY).min(self.lifetime))
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self { lifetime: 30 * DAY, idle_lifetime: None, refresh_grace: 30, max_per_account: session::MAX_PER_USER }
    }
}

/// `[throttle]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Throttle {
    /// Tries to check a password that one address may make at once; a try with another name than the last counts three.
    #[serde(deserialize_with = "number")]
    pub login_burst: u32,
    /// How many of them come back in a minute.
    #[serde(deserialize_with = "number")]
    pub logins_per_minute: u32,
    /// Registrations from one address, at once and in an hour.
    #[serde(deserialize_with = "number")]
    pub registrations_per_hour: u32,
    /// Refused refresh tokens from one address, at once and in a minute.
    #[serde(deserialize_with = "number")]
    pub refused_refreshes_per_minute: u32,
    /// Refreshes of one session, at once and in a minute.
    #[serde(deserialize_with = "number")]
    pub refreshes_per_minute: u32,
    /// Failures in a row that cost an account, or one of its known devices, no wait.
    #[serde(deserialize_with = "number")]
    pub free_failures: u32,
    /// The longest wait in seconds that failures cause.
    #[serde(deserialize_with = "number")]
    pub max_wait: u64,
    /// After how many failures in a row an account is closed to unknown devices.
    #[serde(deserialize_with = "number")]
    pub suspend_after: u32,
    /// For how many seconds it is closed, and failures are remembered.
    #[serde(deserialize_with = "number")]
    pub memory: u64,
    /// The most known devices of an account.
    #[serde(deserialize_with = "number")]
    pub known_devices: u64,
    /// For how many seconds a device is known after the last login from it.
    #[serde(deserialize_with = "number")]
    pub device_lifetime: u64,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            login_burst: 30,
            logins_per_minute: 30,
            registrations_per_hour: 20,
            refused_refreshes_per_minute: 30,
            refreshes_per_minute: 60,
            free_failures: 5,
            max_wait: 15 * 60,
            suspend_after: 100,
            memory: DAY,
            known_devices: 20,
            device_lifetime: 30 * DAY,
        }
    }
}

/// `[registration]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Registration {
    /// Whether anybody may register.
    #[serde(deserialize_with = "flag")]
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

/// `[audit]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// For how many seconds audit events are kept.
    #[serde(deserialize_with = "number")]
    pub retention: u64,
}

impl Default for Audit {
    fn default() -> Self {
        Self { retention: 400 * DAY }
    }
}

/// `[passwords]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Passwords {
    /// The fewest characters of a new password.
    #[serde(deserialize_with = "number")]
    pub min_length: usize,
    /// Memory of one hash in KiB.
    #[serde(deserialize_with = "number")]
    pub memory_kib: u32,
    /// Passes of one hash.
    #[serde(deserialize_with = "number")]
    pub iterations: u32,
    /// Lanes of one hash.
    #[serde(deserialize_with = "number")]
    pub parallelism: u32,
    /// How many threads hash; as many as there are cores unless set.
    #[serde(deserialize_with = "optional_number")]
    pub threads: Option<usize>,
    /// How many passwords may wait; four times the threads unless set.
    #[serde(deserialize_with = "optional_number")]
    pub queue_length: Option<usize>,
    /// How many milliseconds a password may wait, its own hash included.
    #[serde(deserialize_with = "number")]
    pub queue_wait_ms: u64,
    /// Lets the hash cost less than the floor. Only for tests, and only on loopback.
    #[serde(deserialize_with = "flag")]
    pub weak_hashing_for_tests: bool,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            min_length: password::MIN_LENGTH,
            memory_kib: MIN_COST.memory_kib,
            iterations: MIN_COST.iterations,
            parallelism: MIN_COST.parallelism,
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
    #[serde(deserialize_with = "flag")]
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
    #[serde(deserialize_with = "text")]
    pub filter: String,
    /// How it is written.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info,sqlx::postgres::notice=warn".to_owned(), format: LogFormat::Auto }
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people where standard error is a terminal, for programs elsewhere.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `[metrics]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Where `GET /metrics` is answered; nowhere unless set.
    pub listen: Option<SocketAddr>,
}

/// `[traces]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Traces {
    /// The URL of an OTLP collector that speaks HTTP, without a path; nothing is sent unless set.
    pub endpoint: Option<String>,
}

const DAY: u64 = 24 * 60 * 60;

impl Config {
    /// Reads the file, if `file` names one or [`DEFAULT_FILE`] exists, then the environment, which wins; then checks.
    ///
    /// # Errors
    /// The first setting that is unknown, has the wrong type or cannot be used.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let config: Self = read::sources(file)?;
        config.validate()?;
        Ok(config)
    }
}

impl Config {
    /// Whether it holds a secret.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        let password = Url::parse(self.database.url.expose_secret()).ok().and_then(|url| url.password().map(str::len));
        self.keys.master_key.is_some() || password.is_some()
    }
}

impl Server {
    /// The public URL without a trailing slash.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.public_url.trim_end_matches('/')
    }

    /// The URL at which this host reaches the server when nobody said which one clients use and the port is another.
    #[must_use]
    pub fn local_url(&self, bound: &[SocketAddr]) -> Option<String> {
        let usual = Self::default();
        let port = bound.first()?.port();
        let other = usual.listen.first().is_some_and(|address| address.port() != port);
        (other && self.public_url == usual.public_url).then(|| format!("http://localhost:{port}"))
    }

    /// Whether nobody chose the addresses.
    #[must_use]
    pub fn listens_by_default(&self) -> bool {
        self.listen == Self::default().listen
    }

    /// Whether only this host can reach the server.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.listen.iter().all(|address| address.ip().is_loopback())
    }
}
