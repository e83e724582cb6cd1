//! Settings: whatever the file and the variables say, accepted values are within their bounds, variables win, unknown
//! settings are rejected, and no message contains a secret.

use std::{collections::BTreeMap, time::Duration};

use vestibule::config::Config;

/// Takes the place of every secret.
const SECRET: &str = "c4n4ry-that-no-one-may-see";
const TENTH: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const LONG: Duration = Duration::from_mins(5);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// A numeric setting and its bounds.
type Number = (&'static str, fn(&Config) -> u64, u64, u64);
/// A duration setting and its bounds.
type Span = (&'static str, fn(&Config) -> Duration, Duration, Duration);

const NUMBERS: [Number; 13] = [
    ("server.max_body_size", |config| config.server.max_body_size.bytes() as u64, 4096, 1_048_576),
    ("server.max_connections", |config| config.server.max_connections.get() as u64, 1, 1_000_000),
    ("database.max_connections", |config| config.database.max_connections.get().into(), 1, 1000),
    ("sessions.max_per_user", |config| config.sessions.max_per_user.get(), 1, 100),
    ("limits.login_burst", |config| config.limits.login_burst.get().into(), 1, 1_000_000),
    ("limits.logins_per_minute", |config| config.limits.logins_per_minute.get().into(), 1, 1_000_000),
    ("limits.registrations_per_hour", |config| config.limits.registrations_per_hour.get().into(), 1, 1_000_000),
    ("limits.rejected_refreshes_per_minute", |config| rejected(config), 1, 1_000_000),
    ("limits.refreshes_per_minute", |config| config.limits.refreshes_per_minute.get().into(), 1, 1_000_000),
    ("limits.free_failures", |config| config.limits.free_failures.get().into(), 1, 1_000_000),
    ("limits.lockout_threshold", |config| config.limits.lockout_threshold.get().into(), 1, 1_000_000),
    ("limits.known_networks", |config| config.limits.known_networks.get(), 1, 100),
    ("passwords.min_length", |config| config.passwords.min_length.get() as u64, 8, 64),
];

const SPANS: [Span; 14] = [
    ("server.request_timeout", |config| config.server.request_timeout.get(), SECOND, LONG),
    ("server.body_timeout", |config| config.server.body_timeout.get(), SECOND, LONG),
    ("server.idle_timeout", |config| config.server.idle_timeout.get(), SECOND, HOUR),
    ("server.shutdown_delay", |config| config.server.shutdown_delay(), Duration::ZERO, LONG),
    ("server.shutdown_timeout", |config| config.server.shutdown_timeout.get(), Duration::ZERO, LONG),
    ("database.start_timeout", |config| config.database.start_timeout.get(), Duration::ZERO, DAY),
    ("tokens.access_lifetime", |config| config.tokens.access_lifetime.get(), Duration::from_secs(30), HOUR),
    ("sessions.lifetime", |config| config.sessions.lifetime.get(), MINUTE, DAY.saturating_mul(400)),
    ("sessions.idle_lifetime", |config| config.sessions.idle_lifetime(), MINUTE, DAY.saturating_mul(400)),
    ("sessions.refresh_grace_period", |config| grace(config), Duration::ZERO, LONG),
    ("limits.max_backoff", |config| config.limits.max_backoff.get(), SECOND, HOUR),
    ("limits.lockout_duration", |config| config.limits.lockout_duration.get(), SECOND, DAY.saturating_mul(30)),
    ("limits.known_network_lifetime", |config| known(config), MINUTE, DAY.saturating_mul(400)),
    ("passwords.queue_timeout", |config| config.passwords.queue_timeout.get(), TENTH, SECOND.saturating_mul(30)),
];

fn rejected(config: &Config) -> u64 {
    config.limits.rejected_refreshes_per_minute.get().into()
}

fn grace(config: &Config) -> Duration {
    config.sessions.refresh_grace_period.get()
}

fn known(config: &Config) -> Duration {
    config.limits.known_network_lifetime.get()
}

pub(crate) fn run(data: &[u8]) {
    // The fuzzer learns what its inputs are compared with. An input that already contains the secret proves nothing.
    let Some(text) = str::from_utf8(data).ok().filter(|text| !text.to_ascii_lowercase().contains(SECRET)) else {
        return;
    };
    // The variables follow a line of dashes, without their prefix.
    let (file, variables) = text.split_once("\n---\n").unwrap_or((text, ""));
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let variables: BTreeMap<_, _> =
        variables.map(|(name, value)| (format!("VESTIBULE_{name}"), value.to_owned())).collect();
    // An input that begins with an exclamation mark continues the line of the secret.
    let file = file.strip_prefix('!').map_or_else(|| format!("\n{file}"), ToOwned::to_owned);
    let file = format!("[keys]\nmaster_key = \"{SECRET}\"{file}");
    match Config::parse(&file, variables.clone()) {
        Err(error) => assert!(!error.to_string().contains(SECRET), "a message contains a secret"),
        Ok(config) => {
            accepted(&config);
            others(&file, &variables, &config);
        }
    }
    with_secret_variables(&file, variables);
}

/// Checks what must hold for accepted settings.
fn accepted(config: &Config) {
    for (name, value, least, most) in NUMBERS {
        let value = value(config);
        assert!((least..=most).contains(&value), "{name} is {value}");
    }
    for (name, value, least, most) in SPANS {
        let value = value(config);
        assert!((least..=most).contains(&value), "{name} is {value:?}");
    }
    assert!(config.sessions.idle_lifetime() <= config.sessions.lifetime.get());
    assert!(config.limits.lockout_duration.get() >= config.limits.max_backoff.get());
    assert_eq!(config.effective().len(), Config::declarations().count());
    assert!(!format!("{:?}", config.effective()).contains(SECRET), "the effective settings contain a secret");
    assert!(!config.server.listen.is_empty());
    assert!(
        config.server.trusted_proxies.iter().all(|network| network.get().prefix_len() >= 7),
        "a network is too wide to contain only proxies"
    );
    for origin in config.server.cors_origins.iter().filter(|origin| origin.as_str().contains('*')) {
        let parent = origin.as_str().split_once("://*.").expect("the wildcard is the first label").1;
        assert!(parent.contains('.') && !parent.contains('*'), "too many origins are allowed");
    }
    let (passwords, cost) = (&config.passwords, config.passwords.cost());
    let strong = cost.memory_kib >= 19_456 && cost.iterations >= 2;
    let weak =
        passwords.weak_hashing_for_tests && config.server.listen.iter().all(|address| address.ip().is_loopback());
    assert!(strong || weak, "the hashing cost is too low");
    assert!(cost.memory_kib <= 262_144 && cost.iterations <= 16 && cost.parallelism <= 16);
    assert!(!format!("{config:?}").contains(SECRET), "the debug output contains a secret");
    assert!(!config.database.describe().contains(SECRET), "the database description contains a secret");
}

/// Checks what must hold for settings that differ in one point from accepted ones.
fn others(file: &str, variables: &BTreeMap<String, String>, accepted: &Config) {
    let with = |name: &str, value: &str| {
        let mut more = variables.clone();
        // Variable names are case-insensitive.
        more.retain(|other, _| !other.eq_ignore_ascii_case(name));
        more.insert(name.to_owned(), value.to_owned());
        more
    };
    let parse_with = |name: &str, value: &str| Config::parse(file, with(name, value));
    let other = if grace(accepted) == Duration::from_secs(7) { 8 } else { 7 };
    let name = "VESTIBULE_SESSIONS__REFRESH_GRACE_PERIOD";
    let config = parse_with(name, &format!("{other}s")).expect("another grace period is accepted");
    assert_eq!(grace(&config), Duration::from_secs(other), "variables must win");
    assert!(parse_with(name, "").is_ok(), "an empty variable must count as unset");
    for value in ["301s", "-1s", "1.0s", "1e1s", " 7s", "7", "7 s", "true", "seven"] {
        assert!(parse_with(name, value).is_err(), "{value:?} was accepted as a grace period");
    }
    let mut twice = with(name, "7s");
    twice.insert(name.to_ascii_lowercase(), "7s".to_owned());
    assert!(Config::parse(file, twice).is_err(), "two variables for one setting were accepted");
    let error =
        parse_with("VESTIBULE_SESSIONS__REFRESH_GRACES", "7s").map(drop).expect_err("an unknown setting was accepted");
    assert!(error.to_string().contains("REFRESH_GRACES"), "{error}");
}

/// Secrets in variables must not be shown either.
fn with_secret_variables(file: &str, mut variables: BTreeMap<String, String>) {
    variables.insert("VESTIBULE_KEYS__MASTER_KEY".to_owned(), SECRET.to_owned());
    variables.insert("VESTIBULE_DATABASE__URL".to_owned(), format!("postgres://user:{SECRET}@host/db"));
    match Config::parse(file, variables) {
        Err(error) => assert!(!error.to_string().contains(SECRET), "a message contains a secret"),
        Ok(config) => accepted(&config),
    }
}
