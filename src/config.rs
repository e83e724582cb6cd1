//! The configuration: `vestibule.toml` and the environment, read once, checked before anything starts.

mod check;
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

use self::{
    check::{check_network, check_origin, is_plain, present, within},
    read::{flag, list, number, optional_number, text},
};

use crate::domain::{
    name,
    password::{self, Cost, FLOOR},
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
        Self { lifetime: 30 * DAY, idle_lifetime: None, refresh_grace: 30, max_per_account: session::MAX_PER_ACCOUNT }
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
        let config: Self = read::sources(file)?;
        config.validate()?;
        Ok(config)
    }

    /// Checks what types cannot say.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.server.validate()?;
        self.tls.validate(&self.server)?;
        self.database.validate()?;
        within("tokens.access_lifetime", self.tokens.access_lifetime, 30, 60 * 60)?;
        present("tokens.client_id", &self.tokens.client_id)?;
        if let Some(audience) = &self.tokens.audience {
            present("tokens.audience", audience)?;
        }
        within("sessions.lifetime", self.sessions.lifetime, 60, 400 * DAY)?;
        within("sessions.idle_lifetime", self.sessions.idle_lifetime(), 60, self.sessions.lifetime)?;
        within("sessions.refresh_grace", self.sessions.refresh_grace, 0, 300)?;
        within("sessions.max_per_account", self.sessions.max_per_account, 1, session::MAX_PER_ACCOUNT)?;
        self.throttle.validate()?;
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

    fn validate(&self) -> Result<(), ConfigError> {
        if self.listen.is_empty() {
            return Err(ConfigError::new("server.listen", "names no address"));
        }
        let url = Url::parse(&self.public_url).map_err(|error| ConfigError::new("server.public_url", error))?;
        let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || !plain {
            let reason = "must be an http or https URL without user, query and fragment";
            return Err(ConfigError::new("server.public_url", reason));
        }
        // The issuer is compared byte by byte, so it has one spelling.
        let usual = url.as_str().trim_end_matches('/');
        if usual != self.issuer() {
            return Err(ConfigError::new("server.public_url", format!("must be written as {usual}")));
        }
        within("server.max_body", self.max_body as u64, 4 * 1024, 1024 * 1024)?;
        within("server.request_timeout", self.request_timeout, 1, 300)?;
        within("server.body_timeout", self.body_timeout, 1, 300)?;
        within("server.idle_timeout", self.idle_timeout, 1, 3600)?;
        within("server.max_connections", self.max_connections as u64, 1, 1_000_000)?;
        within("server.shutdown_timeout", self.shutdown_timeout, 0, 300)?;
        self.trusted_proxies.iter().try_for_each(check_network)?;
        self.cors_origins.iter().try_for_each(|origin| check_origin(origin))
    }
}

impl Tls {
    fn validate(&self, server: &Server) -> Result<(), ConfigError> {
        match (&self.certificate_file, &self.key_file) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(ConfigError::new("tls.certificate_file", "must be set where tls.key_file is")),
            (Some(_), None) => Err(ConfigError::new("tls.key_file", "must be set where tls.certificate_file is")),
            (Some(_), Some(_)) if server.public_url.starts_with("https:") => Ok(()),
            (Some(_), Some(_)) => {
                Err(ConfigError::new("server.public_url", "must begin with https: where tls.certificate_file is set"))
            }
        }
    }
}

impl Database {
    fn validate(&self) -> Result<(), ConfigError> {
        let scheme = self.url.expose_secret().split(':').next().unwrap_or_default();
        match scheme {
            "sqlite" if !self.file().is_some_and(|file| is_plain(&file)) => Err(ConfigError::new(
                "database.url",
                "must name a file, without options and percent signs, as in sqlite://vestibule.db",
            )),
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

impl Throttle {
    fn validate(&self) -> Result<(), ConfigError> {
        let counts = [
            ("throttle.login_burst", self.login_burst),
            ("throttle.logins_per_minute", self.logins_per_minute),
            ("throttle.registrations_per_hour", self.registrations_per_hour),
            ("throttle.refused_refreshes_per_minute", self.refused_refreshes_per_minute),
            ("throttle.refreshes_per_minute", self.refreshes_per_minute),
            ("throttle.free_failures", self.free_failures),
            ("throttle.suspend_after", self.suspend_after),
        ];
        for (key, count) in counts {
            within(key, u64::from(count), 1, 1_000_000)?;
        }
        within("throttle.max_wait", self.max_wait, 1, 60 * 60)?;
        within("throttle.memory", self.memory, self.max_wait, 30 * DAY)?;
        within("throttle.known_devices", self.known_devices, 1, 100)?;
        within("throttle.device_lifetime", self.device_lifetime, 60, 400 * DAY)
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
