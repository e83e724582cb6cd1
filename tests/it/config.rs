//! Settings are read from the file and the environment, and errors name the invalid setting. `config_output` tests what
//! the commands print.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use regex::Regex;
use tempfile::TempDir;
use vestibule::{config::Config, startup};

use crate::{
    conventions::sources as rust_sources,
    support::{Settings, process::vestibule, results::ResultRow},
};

/// Runs `vestibule config check` in an empty folder with these variables and this configuration file.
pub(crate) fn check(variables: &[(&str, &str)], file: Option<&str>) -> Output {
    let folder = TempDir::new().unwrap();
    if let Some(text) = file {
        fs::write(folder.path().join("vestibule.toml"), text).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
    command.args(["config", "check"]).env_clear().envs(variables.iter().copied()).current_dir(folder.path());
    let begun = Instant::now();
    let output = command.output().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{variables:?} took {:?}", begun.elapsed());
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        usize::from(file.is_some()),
        "the check must not create files"
    );
    output
}

#[track_caller]
pub(crate) fn assert_rejected(output: &Output, parts: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{text}");
    assert!(parts.iter().all(|part| text.contains(part)), "{parts:?} in {text}");
}

#[apply(trial)]
async fn settings_are_read_from_file_and_environment() {
    let file = "[server]\nlisten = [\"127.0.0.1:5001\"]\npublic_url = \"https://login.example\"\n[registration]\nopen = false\n";
    assert!(check(&[], Some(file)).status.success());
    let variables = [
        ("VESTIBULE_SERVER__LISTEN", "127.0.0.1:5001, [::1]:5001"),
        ("VESTIBULE_TOKENS__AUDIENCE", "shop"),
        ("VESTIBULE_TOKENS__ACCESS_LIFETIME", "5m"),
        ("VESTIBULE_DOCS__ENABLED", "false"),
        ("PATH", "/nowhere"),
    ];
    assert!(check(&variables, Some(file)).status.success());
    let both = check(&[("VESTIBULE_SERVER__PUBLIC_URL", "ftp://login.example")], Some(file));
    assert_rejected(&both, &["server.public_url", "VESTIBULE_SERVER__PUBLIC_URL"]);
}

/// Variables with an invalid value, and the setting that the error must name.
const INVALID_SETTINGS: &[(&str, &str, &str)] = &[
    ("VESTIBULE_SERVER__LISTEN", "5000", "server.listen"),
    ("VESTIBULE_SERVER__LISTEN", ",", "server.listen"),
    ("VESTIBULE_SERVER__PUBLIC_URL", "localhost", "server.public_url"),
    ("VESTIBULE_SERVER__PUBLIC_URL", "http://user@localhost", "server.public_url"),
    ("VESTIBULE_SERVER__PUBLIC_URL", "http://:password@localhost", "server.public_url"),
    ("VESTIBULE_SERVER__MAX_BODY_SIZE", "16384", "server.max_body_size"),
    ("VESTIBULE_SERVER__MAX_BODY_SIZE", "-1KiB", "server.max_body_size"),
    ("VESTIBULE_SERVER__MAX_BODY_SIZE", "16KB", "server.max_body_size"),
    ("VESTIBULE_SERVER__MAX_BODY_SIZE", "16 KiB", "server.max_body_size"),
    ("VESTIBULE_SERVER__MAX_BODY_SIZE", "16.5KiB", "server.max_body_size"),
    ("VESTIBULE_SERVER__MAX_BODY_SIZE", "3KiB", "server.max_body_size"),
    ("VESTIBULE_SERVER__MAX_BODY_SIZE", "1025KiB", "server.max_body_size"),
    ("VESTIBULE_SERVER__MAX_BODY_SIZE", "18446744073709551615MiB", "server.max_body_size"),
    ("VESTIBULE_SERVER__MAX_CONNECTIONS", "many", "server.max_connections"),
    ("VESTIBULE_SERVER__MAX_CONNECTIONS", "0", "server.max_connections"),
    ("VESTIBULE_SERVER__MAX_CONNECTIONS", "1000001", "server.max_connections"),
    ("VESTIBULE_SERVER__REQUEST_TIMEOUT", "30", "server.request_timeout"),
    ("VESTIBULE_SERVER__REQUEST_TIMEOUT", "1.5s", "server.request_timeout"),
    ("VESTIBULE_SERVER__REQUEST_TIMEOUT", "30 s", "server.request_timeout"),
    ("VESTIBULE_SERVER__REQUEST_TIMEOUT", "1m30s", "server.request_timeout"),
    ("VESTIBULE_SERVER__REQUEST_TIMEOUT", "30seconds", "server.request_timeout"),
    ("VESTIBULE_SERVER__REQUEST_TIMEOUT", "-30s", "server.request_timeout"),
    ("VESTIBULE_SERVER__REQUEST_TIMEOUT", "s", "server.request_timeout"),
    ("VESTIBULE_SERVER__REQUEST_TIMEOUT", "999ms", "server.request_timeout"),
    ("VESTIBULE_SERVER__REQUEST_TIMEOUT", "301s", "server.request_timeout"),
    ("VESTIBULE_SERVER__BODY_TIMEOUT", "0s", "server.body_timeout"),
    ("VESTIBULE_SERVER__BODY_TIMEOUT", "301s", "server.body_timeout"),
    ("VESTIBULE_SERVER__IDLE_TIMEOUT", "0s", "server.idle_timeout"),
    ("VESTIBULE_SERVER__IDLE_TIMEOUT", "3601s", "server.idle_timeout"),
    ("VESTIBULE_SERVER__SHUTDOWN_DELAY", "6m", "server.shutdown_delay"),
    ("VESTIBULE_SERVER__SHUTDOWN_TIMEOUT", "6m", "server.shutdown_timeout"),
    ("VESTIBULE_SERVER__TRUSTED_PROXIES", "10.0.0", "server.trusted_proxies"),
    ("VESTIBULE_SERVER__TRUSTED_PROXIES", "::ffff:10.0.0.1", "server.trusted_proxies"),
    ("VESTIBULE_SERVER__TRUSTED_PROXIES", "10.0.0.0/33", "server.trusted_proxies"),
    ("VESTIBULE_SERVER__TRUSTED_PROXIES", "10.0.0.0/8, 0.0.0.0/0", "server.trusted_proxies"),
    ("VESTIBULE_SERVER__TRUSTED_PROXIES", "::ffff:10.0.0.0/104", "server.trusted_proxies"),
    ("VESTIBULE_SERVER__TRUSTED_PROXIES", "128.0.0.0/1", "at most /8 (IPv4) or /20 (IPv6)"),
    ("VESTIBULE_SERVER__TRUSTED_PROXIES", "10.0.0.0/7", "at most /8 (IPv4) or /20 (IPv6)"),
    ("VESTIBULE_SERVER__TRUSTED_PROXIES", "2000::/3", "at most /8 (IPv4) or /20 (IPv6)"),
    ("VESTIBULE_SERVER__TRUSTED_PROXIES", "2400::/19", "at most /8 (IPv4) or /20 (IPv6)"),
    ("VESTIBULE_SERVER__TRUSTED_PROXIES", "fc00::/6", "at most /8 (IPv4) or /20 (IPv6)"),
    ("VESTIBULE_SERVER__TRUSTED_PROXIES", "fe80::/9", "at most /8 (IPv4) or /20 (IPv6)"),
    ("VESTIBULE_SERVER__CLIENT_IP_HEADER", "X-Forwarded-For:", "server.client_ip_header"),
    ("VESTIBULE_SERVER__CLIENT_IP_HEADER", "x-forwarded-for, forwarded", "server.client_ip_header"),
    ("VESTIBULE_SERVER__CLIENT_IP_HEADER", "x-réal-ip", "server.client_ip_header"),
    ("VESTIBULE_SERVER__CORS_HEADERS", "*", "server.cors_headers"),
    ("VESTIBULE_SERVER__CORS_HEADERS", "x-a, x b", "server.cors_headers"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "*", "server.cors_origins"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "null", "server.cors_origins"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "app.example", "server.cors_origins"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "ftp://app.example", "server.cors_origins"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "https://*", "server.cors_origins"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "https://*.com", "anyone can register a name below this domain"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "https://*.co.uk:8443", "anyone can register a name below this domain"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "https://*.vercel.app", "anyone can register a name below this domain"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "https://*.localhost", "server.cors_origins"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "https://*.0.0.1", "server.cors_origins"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "https://*.*.app.example", "server.cors_origins"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "https://a*.app.example", "server.cors_origins"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "https://a.*.app.example", "server.cors_origins"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "https://*.App.example", "https://*.app.example"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "https://*.app.example/", "https://*.app.example"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "*://app.example", "server.cors_origins"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "tauri://*.app.example", "server.cors_origins"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "capacitor://localhost/", "capacitor://localhost"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "capacitor:localhost", "server.cors_origins"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "file://host", "server.cors_origins"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "file:///", "server.cors_origins"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "wss://app.example", "server.cors_origins"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "https://app.example/", "https://app.example"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "https://app.example:443", "https://app.example"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "https://b.example, https://App.example", "https://app.example"),
    ("VESTIBULE_SERVER__CORS_ORIGINS", "https://user@app.example", "server.cors_origins"),
    ("VESTIBULE_SERVER__COLOUR", "blue", "VESTIBULE_SERVER__COLOUR"),
    ("VESTIBULE_TLS__CERTIFICATE_FILE", "chain.pem", "tls.key_file"),
    ("VESTIBULE_TLS__KEY_FILE", "key.pem", "tls.certificate_file"),
    ("VESTIBULE_SREVER__LISTEN", "127.0.0.1:1", "VESTIBULE_SREVER__LISTEN"),
    ("VESTIBULE_DATABASE__URL", "oracle://x/y", "database.url"),
    ("VESTIBULE_DATABASE__URL", "sqlite://", "database.url"),
    ("VESTIBULE_DATABASE__URL", "sqlite::memory:", "database.url"),
    ("VESTIBULE_DATABASE__URL", "sqlite://x.db?mode=memory", "database.url"),
    ("VESTIBULE_DATABASE__URL", "sqlite://my%20base.db", "database.url"),
    ("VESTIBULE_SERVER__PUBLIC_URL", "http://localhost:5000 ", "server.public_url"),
    ("VESTIBULE_SERVER__PUBLIC_URL", "HTTPS://Login.Example:443/", "https://login.example"),
    ("VESTIBULE_SERVER_LISTEN", "127.0.0.1:1", "VESTIBULE_SERVER_LISTEN"),
    ("VESTIBULE_PASSWORDS__HASH_THREADS", "yes", "passwords.hash_threads"),
    ("VESTIBULE_DATABASE__URL", "postgres://localhost", "database.url"),
    ("VESTIBULE_TOKENS__ACCESS_LIFETIME", "29s", "tokens.access_lifetime"),
    ("VESTIBULE_TOKENS__ACCESS_LIFETIME", "1d", "tokens.access_lifetime"),
    ("VESTIBULE_TOKENS__CLIENT_ID", "shop\n", "tokens.client_id"),
    ("VESTIBULE_SESSIONS__IDLE_LIFETIME", "31d", "sessions.idle_lifetime"),
    ("VESTIBULE_LIMITS__LOGIN_BURST", "0", "limits.login_burst"),
    ("VESTIBULE_LIMITS__FREE_FAILURES", "1000001", "limits.free_failures"),
    ("VESTIBULE_LIMITS__MAX_BACKOFF", "0s", "limits.max_backoff"),
    ("VESTIBULE_LIMITS__LOCKOUT_DURATION", "899s", "limits.lockout_duration"),
    ("VESTIBULE_LIMITS__KNOWN_NETWORKS", "101", "limits.known_networks"),
    ("VESTIBULE_LIMITS__KNOWN_NETWORK_LIFETIME", "59s", "limits.known_network_lifetime"),
    ("VESTIBULE_SESSIONS__LIFETIME", "59s", "sessions.lifetime"),
    ("VESTIBULE_SESSIONS__LIFETIME", "34560001s", "sessions.lifetime"),
    ("VESTIBULE_SESSIONS__REFRESH_GRACE_PERIOD", "301s", "sessions.refresh_grace_period"),
    ("VESTIBULE_SESSIONS__REFRESH_GRACE_PERIOD", "0", "sessions.refresh_grace_period"),
    ("VESTIBULE_SESSIONS__MAX_PER_USER", "0", "sessions.max_per_user"),
    ("VESTIBULE_SESSIONS__MAX_PER_USER", "101", "sessions.max_per_user"),
    ("VESTIBULE_REGISTRATION__OPEN", "perhaps", "registration.open"),
    ("VESTIBULE_REGISTRATION__RESERVED_NAMES", "two words", "registration.reserved_names"),
    ("VESTIBULE_PASSWORDS__MIN_LENGTH", "7", "passwords.min_length"),
    ("VESTIBULE_PASSWORDS__HASH_MEMORY", "8MiB", "passwords.hash_memory"),
    ("VESTIBULE_PASSWORDS__HASH_MEMORY", "257MiB", "passwords.hash_memory"),
    ("VESTIBULE_PASSWORDS__HASH_ITERATIONS", "1", "passwords.hash_iterations"),
    ("VESTIBULE_DOCS__ENABLED", "3.5", "docs.enabled"),
    ("VESTIBULE_LOG__FORMAT", "xml", "log.format"),
    ("VESTIBULE_LOG__FILTER", "vestibule=loud", "log.filter"),
    ("VESTIBULE_PASSWORDS__HASH_PARALLELISM", "17", "passwords.hash_parallelism"),
    ("VESTIBULE_PASSWORDS__QUEUE_TIMEOUT", "99ms", "passwords.queue_timeout"),
    ("VESTIBULE_PASSWORDS__QUEUE_TIMEOUT", "2000", "passwords.queue_timeout"),
    ("VESTIBULE_AUDIT__RETENTION", "23h", "audit.retention"),
    ("VESTIBULE_DATABASE__START_TIMEOUT", "25h", "database.start_timeout"),
    ("VESTIBULE_DATABASE__MAX_CONNECTIONS", "+5", "database.max_connections"),
    ("VESTIBULE_METRICS__LISTEN", "127.0.0.1:5000", "metrics.listen"),
    ("VESTIBULE_TRACES__ENDPOINT", "http://localhost:4318/v1/traces", "traces.endpoint"),
];

#[apply(trial)]
async fn every_invalid_setting_is_named_in_the_error() {
    for (name, value, key) in INVALID_SETTINGS {
        assert_rejected(&check(&[(*name, *value)], None), &[*key]);
    }
    let result = ResultRow {
        id: "R26",
        scenario: "an invalid setting",
        rounds: INVALID_SETTINGS.len(),
        notes: "each rejected with exit code 6 within a second, with an error that names the setting".to_owned(),
        ..ResultRow::default()
    };
    result.write();
}

#[apply(trial)]
async fn networks_that_proxies_use_are_accepted() {
    let networks = "10.0.0.0/8, 172.16.0.0/12, 100.64.0.0/10, 13.0.0.0/8, 173.245.48.0/20, 2400:cb00::/32, 2600::/20, \
                    fc00::/7, fe80::/10, ::1/128";
    let output = check(&[("VESTIBULE_SERVER__TRUSTED_PROXIES", networks)], None);
    assert!(output.status.success(), "{output:?}");
}

#[apply(trial)]
async fn idle_connections_outlast_those_of_common_load_balancers() {
    let config = Config::parse("", []).unwrap();
    // AWS, Azure, nginx and others close or stop using an idle connection after 60 seconds.
    assert!(config.server.idle_timeout.get() > Duration::from_mins(1));
}

#[apply(trial)]
async fn errors_say_how_to_fix_the_setting() {
    for (name, value, message) in [
        (
            "VESTIBULE_SERVER__REQUEST_TIMEOUT",
            "30",
            "server.request_timeout (VESTIBULE_SERVER__REQUEST_TIMEOUT): \"30\" has no unit; write 30s, 15m or 14d",
        ),
        (
            "VESTIBULE_SERVER__REQUEST_TIMEOUT",
            "10m",
            "server.request_timeout (VESTIBULE_SERVER__REQUEST_TIMEOUT): \"10m\" is out of range; write a duration from \
             1s to 5m",
        ),
        (
            "VESTIBULE_SERVER__MAX_BODY_SIZE",
            "16384",
            "server.max_body_size (VESTIBULE_SERVER__MAX_BODY_SIZE): \"16384\" has no unit; write 16KiB or 1MiB",
        ),
        (
            "VESTIBULE_SERVER_LISTEN",
            "127.0.0.1:1",
            "VESTIBULE_SERVER_LISTEN: there is no such setting; write two underscores between section and setting",
        ),
        (
            "VESTIBULE_SESSIONS__IDLE_LIFETIME",
            "31d",
            "sessions.idle_lifetime (VESTIBULE_SESSIONS__IDLE_LIFETIME): \"31d\" must be at most sessions.lifetime, which \
             is 30d",
        ),
    ] {
        assert_rejected(&check(&[(name, value)], None), &[message]);
    }
    let bare = "[server]\nrequest_timeout = 30\n";
    assert_rejected(&check(&[], Some(bare)), &["must be a quoted string; write a duration from 1s to 5m"]);
    let list = "[server]\nrequest_timeout = [\"30s\"]\n";
    assert_rejected(&check(&[], Some(list)), &["is a TOML array; write a duration from 1s to 5m"]);
}

#[apply(trial)]
async fn invalid_files_are_rejected() {
    assert_rejected(&check(&[], Some("[server\n")), &["vestibule.toml"]);
    assert_rejected(&check(&[], Some("[server]\nlisten = 5000\n")), &["server.listen"]);
    assert_rejected(&check(&[], Some("[registration]\nopen = [1]\n")), &["registration.open"]);
    assert_rejected(&check(&[], Some("[sever]\nlisten = []\n")), &["sever", "the sections are server, tls"]);
    assert_rejected(
        &check(&[], Some("[server]\nlissen = []\n")),
        &["server.lissen", "[server] has listen, public_url"],
    );
    assert_rejected(&check(&[], Some("listen = []\n")), &["listen: there is no such section"]);
    assert_rejected(
        &check(&[], Some("[[server]]\nlisten = []\n")),
        &["server: is a section; write [server] on a line"],
    );
    assert_rejected(
        &check(&[("vestibule_docs__enabled", "yes")], None),
        &["docs.enabled (VESTIBULE_DOCS__ENABLED): \"yes\" is not valid"],
    );
    assert_rejected(
        &check(&[("VESTIBULE_DOCS__ENABLED", "yes")], None),
        &["\"yes\" is not valid; write `true` or `false`"],
    );
    assert_rejected(&check(&[], Some("\"server.listen\" = []\n")), &["server.listen: there is no such section"]);
    for (section, wrong) in [
        ("tokens", "access_lifetime = 600.7"),
        ("tokens", "access_lifetime = 600"),
        ("tokens", "access_lifetime = [\"10m\"]"),
        ("audit", "retention = 2030-03-17"),
        ("server", "max_body_size = 16384"),
        ("server", "listen = []"),
        ("server", "cors_origins = [\"https://a.example,https://b.example\"]"),
        ("tokens", "client_id = 5"),
        ("passwords", "hash_threads = true"),
        ("registration", "open = 2"),
        ("registration", "open = \"off\""),
        ("docs", "enabled = 0.0"),
        ("server", "listen = [5000]"),
    ] {
        let key = format!("{section}.{}", wrong.split(' ').next().unwrap());
        assert_rejected(&check(&[], Some(&format!("[{section}]\n{wrong}\n"))), &[&key]);
    }
    let missing =
        Command::new(env!("CARGO_BIN_EXE_vestibule")).args(["--config", "missing.toml", "config", "check"]).output();
    assert_rejected(&missing.unwrap(), &["missing.toml"]);
}

#[apply(trial)]
async fn variables_that_are_not_utf8_are_rejected() {
    let value = std::os::unix::ffi::OsStringExt::from_vec(b"postgres://h\xff/db".to_vec());
    let value: std::ffi::OsString = value;
    let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
    command.args(["config", "check"]).env_clear().env("VESTIBULE_DATABASE__URL", value);
    assert_rejected(&command.output().unwrap(), &["VESTIBULE_DATABASE__URL", "UTF-8"]);
}

#[apply(trial)]
async fn two_variables_for_one_setting_are_rejected() {
    let proxies = ("VESTIBULE_SERVER__TRUSTED_PROXIES", "10.0.0.0/8");
    for (name, reason) in [
        ("VESTIBULE_SERVER", "VESTIBULE_SERVER: is a section"),
        ("VESTIBULE_server__trusted_proxies", "is set twice"),
        ("VESTIBULE_SERVER.TRUSTED_PROXIES", "VESTIBULE_SERVER.TRUSTED_PROXIES: there is no such setting"),
        ("VESTIBULE_SERVER__TRUSTED_PROXIES[0]", "VESTIBULE_SERVER__TRUSTED_PROXIES[0]: there is no such setting"),
    ] {
        // Environment variables are read in a different order each time.
        for _ in 0..8 {
            assert_rejected(&check(&[proxies, (name, "192.168.0.0/16")], None), &[reason]);
        }
    }
    assert!(check(&[("VESTIBULE_server__trusted_proxies", "10.0.0.0/8")], None).status.success());
}

#[apply(trial)]
async fn short_session_lifetime_needs_no_second_setting() {
    assert!(check(&[("VESTIBULE_SESSIONS__LIFETIME", "1d")], None).status.success());
}

#[apply(trial)]
async fn weak_hashing_is_rejected_beyond_loopback() {
    let weak = [("VESTIBULE_PASSWORDS__WEAK_HASHING_FOR_TESTS", "true"), ("VESTIBULE_PASSWORDS__HASH_MEMORY", "64KiB")];
    assert!(check(&weak, None).status.success());
    let open = [weak[0], weak[1], ("VESTIBULE_SERVER__LISTEN", "0.0.0.0:5000")];
    assert_rejected(&check(&open, None), &["passwords.weak_hashing_for_tests", "loopback"]);
}

#[apply(trial)]
async fn secrets_are_not_printed() {
    let output = check(
        &[("VESTIBULE_DATABASE__URL", "postgres://user:hunter2@"), ("VESTIBULE_KEYS__MASTER_KEY", "hunter2")],
        None,
    );
    assert_rejected(&output, &["database.url"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("hunter2"));
    for broken in ["[database]\nurl = \"postgres://u:hunter2@h/db\n", "[keys]\nmaster_key = hunter2\n"] {
        let output = check(&[], Some(broken));
        assert_rejected(&output, &["vestibule.toml", "line 2"]);
        assert!(!String::from_utf8_lossy(&output.stderr).contains("hunter2"), "{output:?}");
    }
    let settings = Settings::default().with("database.url", "postgres://user:hunter2@db/vestibule");
    let config = settings.with("keys.master_key", "hunter2").config();
    assert!(!format!("{config:?}").contains("hunter2") && !config.database.describe().contains("hunter2"));
}

#[apply(trial)]
async fn file_with_secrets_readable_by_others_causes_a_warning_s117() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("vestibule.toml");
    let warned = |text: &str, mode: u32| {
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let output = vestibule(&folder).args(["config", "check"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stderr).contains("other users can read the configuration file")
    };
    let key = startup::new_master_key().unwrap().to_text();
    let with_key = format!("[keys]\nmaster_key = \"{}\"\n", &**key);
    let with_password = format!("{with_key}[database]\nurl = \"postgres://user:hunter2@localhost/vestibule\"\n");
    for text in [&with_key, &with_password] {
        for mode in [0o644, 0o640, 0o604] {
            assert!(warned(text, mode), "{mode:o}");
        }
        assert!(!warned(text, 0o600));
    }
    assert!(!warned("[log]\nformat = \"text\"\n", 0o644), "the file contains no secret");
}

#[apply(trial)]
async fn missing_and_weak_master_keys_are_rejected() {
    let postgres = ("VESTIBULE_DATABASE__URL", "postgres://localhost/vestibule");
    assert_rejected(&check(&[postgres], None), &["VESTIBULE_KEYS__MASTER_KEY", "vestibule keys generate"]);
    let file = ("VESTIBULE_KEYS__MASTER_KEY_FILE", "missing.key");
    assert_rejected(&check(&[postgres, file], None), &["VESTIBULE_KEYS__MASTER_KEY_FILE", "missing.key"]);
    for weak in ["secret", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let key = ("VESTIBULE_KEYS__MASTER_KEY", weak);
        assert_rejected(&check(&[key], None), &["VESTIBULE_KEYS__MASTER_KEY", "vestibule keys generate"]);
    }
}

/// Messages name settings and variables as text. A renamed setting must not leave an old name behind.
#[apply(trial)]
async fn settings_that_messages_name_exist() {
    let variable = Regex::new(r"VESTIBULE_[A-Z]+__[A-Z_]*[A-Z]").unwrap();
    let label = Regex::new(r#"(?:label|setting)\(\s*"([a-z_.]+)""#).unwrap();
    let known = |text: &str| Config::declarations().any(|setting| setting.variable() == text || setting.key == text);
    let mut count = 0;
    for file in rust_sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        let text = fs::read_to_string(&file).unwrap();
        let names = variable.find_iter(&text).map(|found| found.as_str());
        for name in names.chain(label.captures_iter(&text).map(|found| found.get(1).unwrap().as_str())) {
            assert!(known(name), "{}: {name} is no setting", file.display());
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
    assert!(!known("VESTIBULE_SERVER__COLOUR"), "a name that does not exist is found");
}
