//! What the settings must be like, beyond their types.

use std::path::Path;

use ipnet::IpNet;
use secrecy::ExposeSecret as _;
use url::Url;

use super::{Config, ConfigError, DAY, Database, Passwords, Server, Throttle, Tls, Traces};
use crate::domain::{
    name,
    password::{self, MIN_COST},
    session,
};

impl Config {
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
        within("sessions.max_per_account", self.sessions.max_per_account, 1, session::MAX_PER_USER)?;
        self.throttle.validate()?;
        within("audit.retention", self.audit.retention, DAY, 4000 * DAY)?;
        for name in &self.registration.reserved_names {
            name::Name::parse(name)
                .map_err(|error| ConfigError::new("registration.reserved_names", format!("{name}: {error}")))?;
        }
        self.passwords.validate(self.server.is_loopback())?;
        self.traces.validate()?;
        if let Some(taken) =
            self.metrics.listen.filter(|address| address.port() != 0 && self.server.listen.contains(address))
        {
            return Err(ConfigError::new("metrics.listen", format!("must differ from server.listen: {taken}")));
        }
        tracing_subscriber::EnvFilter::try_new(&self.log.filter)
            .map(drop)
            .map_err(|error| ConfigError::new("log.filter", error))
    }
}

impl Server {
    fn validate(&self) -> Result<(), ConfigError> {
        if self.listen.is_empty() {
            return Err(ConfigError::new("server.listen", "names no address"));
        }
        let url = plain_url("server.public_url", &self.public_url)?;
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
        within("server.shutdown_delay", self.shutdown_delay, 0, 300)?;
        within("server.shutdown_timeout", self.shutdown_timeout, 0, 300)?;
        self.trusted_proxies.iter().try_for_each(check_network)?;
        self.cors_origins.iter().try_for_each(|origin| check_origin(origin))
    }
}

impl Traces {
    fn validate(&self) -> Result<(), ConfigError> {
        let Some(endpoint) = &self.endpoint else { return Ok(()) };
        if plain_url("traces.endpoint", endpoint)?.path() == "/" {
            return Ok(());
        }
        Err(ConfigError::new("traces.endpoint", "must not have a path, as in http://localhost:4318"))
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
        within("database.start_timeout", self.start_timeout, 0, DAY)?;
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
        within("passwords.memory_kib", u64::from(self.memory_kib), u64::from(MIN_COST.memory_kib), u64::MAX)?;
        within("passwords.iterations", u64::from(self.iterations), u64::from(MIN_COST.iterations), u64::MAX)
    }
}

/// Networks are compared with addresses in their shortest form, so an IPv4-mapped one would never match.
fn check_network(network: &IpNet) -> Result<(), ConfigError> {
    let refused = |reason| Err(ConfigError::new("server.trusted_proxies", format!("{network}: {reason}")));
    match network {
        _ if network.prefix_len() == 0 => refused("trusts everybody"),
        IpNet::V6(network) if network.addr().to_ipv4_mapped().is_some() => refused("must be written as IPv4"),
        _ => Ok(()),
    }
}

/// Browsers write an origin in one way, and it is compared byte by byte.
fn check_origin(text: &str) -> Result<(), ConfigError> {
    let refused = |reason: String| Err(ConfigError::new("server.cors_origins", format!("{text:?} {reason}")));
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && !text.contains('*') => {
            let usual = url.origin().ascii_serialization();
            if usual == text { Ok(()) } else { refused(format!("must be written as {usual}")) }
        }
        _ => refused("is no origin such as https://app.example".to_owned()),
    }
}

/// A URL that names a server and a place there, and nobody's secret.
fn plain_url(key: &str, text: &str) -> Result<Url, ConfigError> {
    let url = Url::parse(text).map_err(|error| ConfigError::new(key, error))?;
    let anonymous = url.username().is_empty() && url.password().is_none();
    let bare = url.query().is_none() && url.fragment().is_none();
    if matches!(url.scheme(), "http" | "https") && url.has_host() && anonymous && bare {
        return Ok(url);
    }
    Err(ConfigError::new(key, "must be an http or https URL without user, query and fragment"))
}

/// Whether the driver reads the path as it stands.
fn is_plain(path: &Path) -> bool {
    let text = path.to_string_lossy();
    !text.is_empty() && !text.contains(['?', '%', ':'])
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
