//! Settings: whatever file and variables say, what is accepted is within the bounds that the README names, variables
//! win, a setting that does not exist is refused, and no message shows a secret.

use std::collections::HashMap;

use vestibule::config::{Config, fuzzing::load};

/// Stands where a secret does.
const SECRET: &str = "c4n4ry-that-nobody-may-see";
const DAY: u64 = 24 * 60 * 60;

/// A number of the settings, and its bounds.
type Bound = (&'static str, fn(&Config) -> u64, u64, u64);

const BOUNDS: [Bound; 27] = [
    ("server.max_body", |config| config.server.max_body as u64, 4096, 1_048_576),
    ("server.request_timeout", |config| config.server.request_timeout, 1, 300),
    ("server.body_timeout", |config| config.server.body_timeout, 1, 300),
    ("server.idle_timeout", |config| config.server.idle_timeout, 1, 3600),
    ("server.max_connections", |config| config.server.max_connections as u64, 1, 1_000_000),
    ("server.shutdown_delay", |config| config.server.shutdown_delay, 0, 300),
    ("server.shutdown_timeout", |config| config.server.shutdown_timeout, 0, 300),
    ("database.max_connections", |config| config.database.max_connections.into(), 1, 1000),
    ("database.start_timeout", |config| config.database.start_timeout, 0, DAY),
    ("tokens.access_lifetime", |config| config.tokens.access_lifetime, 30, 3600),
    ("sessions.lifetime", |config| config.sessions.lifetime, 60, 400 * DAY),
    ("sessions.idle_lifetime", |config| config.sessions.idle_lifetime(), 60, 400 * DAY),
    ("sessions.refresh_grace", |config| config.sessions.refresh_grace, 0, 300),
    ("sessions.max_per_account", |config| config.sessions.max_per_account, 1, 100),
    ("throttle.login_burst", |config| config.throttle.login_burst.into(), 1, 1_000_000),
    ("throttle.logins_per_minute", |config| config.throttle.logins_per_minute.into(), 1, 1_000_000),
    ("throttle.registrations_per_hour", |config| config.throttle.registrations_per_hour.into(), 1, 1_000_000),
    (
        "throttle.refused_refreshes_per_minute",
        |config| config.throttle.refused_refreshes_per_minute.into(),
        1,
        1_000_000,
    ),
    ("throttle.refreshes_per_minute", |config| config.throttle.refreshes_per_minute.into(), 1, 1_000_000),
    ("throttle.free_failures", |config| config.throttle.free_failures.into(), 1, 1_000_000),
    ("throttle.suspend_after", |config| config.throttle.suspend_after.into(), 1, 1_000_000),
    ("throttle.max_wait", |config| config.throttle.max_wait, 1, 3600),
    ("throttle.memory", |config| config.throttle.memory, 1, 30 * DAY),
    ("throttle.known_devices", |config| config.throttle.known_devices, 1, 100),
    ("throttle.device_lifetime", |config| config.throttle.device_lifetime, 60, 400 * DAY),
    ("passwords.min_length", |config| config.passwords.min_length as u64, 8, 64),
    ("passwords.queue_wait_ms", |config| config.passwords.queue_wait_ms, 100, 30_000),
];

pub(crate) fn run(data: &[u8]) {
    // A fuzzer learns what its inputs are compared with; who knows the secret already is shown nothing.
    let Some(text) = str::from_utf8(data).ok().filter(|text| !text.to_ascii_lowercase().contains(SECRET)) else {
        return;
    };
    // Variables stand behind a line of dashes, without their prefix.
    let (file, variables) = text.split_once("\n---\n").unwrap_or((text, ""));
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let variables: HashMap<_, _> =
        variables.map(|(name, value)| (format!("VESTIBULE_{name}"), value.to_owned())).collect();
    // What begins with an exclamation mark goes on in the line of the secret.
    let file = file.strip_prefix('!').map_or_else(|| format!("\n{file}"), ToOwned::to_owned);
    let file = format!("[keys]\nmaster_key = \"{SECRET}\"{file}");
    match load(&file, variables.clone()) {
        Err(error) => assert!(!error.to_string().contains(SECRET), "a message shows a secret"),
        Ok(config) => {
            accepted(&config);
            others(&file, &variables, &config);
        }
    }
    with_secret_variables(&file, variables);
}

/// What holds for settings that were accepted.
fn accepted(config: &Config) {
    for (name, value, least, most) in BOUNDS {
        let value = value(config);
        assert!((least..=most).contains(&value), "{name} is {value}");
    }
    assert!(config.sessions.idle_lifetime() <= config.sessions.lifetime);
    assert!(!config.server.listen.is_empty());
    assert!(config.server.trusted_proxies.iter().all(|network| network.prefix_len() > 0), "everybody is trusted");
    assert!(config.server.cors_origins.iter().all(|origin| !origin.contains('*')), "every origin is let in");
    let passwords = &config.passwords;
    let strong = passwords.memory_kib >= 19_456 && passwords.iterations >= 2;
    let weak =
        passwords.weak_hashing_for_tests && config.server.listen.iter().all(|address| address.ip().is_loopback());
    assert!(strong || weak, "hashes cost too little");
    assert!(passwords.memory_kib <= 262_144 && passwords.iterations <= 16 && passwords.parallelism <= 16);
    assert!(!format!("{config:?}").contains(SECRET), "the settings show a secret when they are printed");
    assert!(!config.database.shown().contains(SECRET), "the database's URL shows a secret");
}

/// What holds for settings that differ in one point from ones that were accepted.
fn others(file: &str, variables: &HashMap<String, String>, accepted: &Config) {
    let with = |name: &str, value: &str| {
        let mut more = variables.clone();
        // The library takes either spelling, and the targets is the one that operators use.
        more.retain(|other, _| !other.eq_ignore_ascii_case(name));
        more.insert(name.to_owned(), value.to_owned());
        load(file, more)
    };
    let other = if accepted.sessions.refresh_grace == 7 { 8 } else { 7 };
    let config = with("VESTIBULE_SESSIONS__REFRESH_GRACE", &other.to_string()).expect("another grace is accepted");
    assert_eq!(config.sessions.refresh_grace, other, "variables win");
    for value in ["301", "-1", "1.0", "1e1", "", " 7", "true", "seven"] {
        assert!(with("VESTIBULE_SESSIONS__REFRESH_GRACE", value).is_err(), "{value:?} is a grace");
    }
    let error = with("VESTIBULE_SESSIONS__REFRESH_GRACES", "7").map(drop).expect_err("it does not exist");
    assert!(error.to_string().contains("refresh_graces"), "{error}");
}

/// Secrets in variables are no more shown than those of a file.
fn with_secret_variables(file: &str, mut variables: HashMap<String, String>) {
    variables.insert("VESTIBULE_KEYS__MASTER_KEY".to_owned(), SECRET.to_owned());
    variables.insert("VESTIBULE_DATABASE__URL".to_owned(), format!("postgres://user:{SECRET}@host/db"));
    match load(file, variables) {
        Err(error) => assert!(!error.to_string().contains(SECRET), "a message shows a secret"),
        Ok(config) => accepted(&config),
    }
}
