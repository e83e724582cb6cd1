//! Settings: read from file and environment, refused by name.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use vestibule::startup;

use crate::support::{figures::Figures, process::vestibule};

crate::trials![
    settings_come_from_file_and_environment,
    every_bad_setting_is_named,
    bad_files_are_refused,
    weak_hashing_is_refused_beyond_loopback,
    unreadable_variables_are_refused,
    two_variables_for_one_setting_are_refused,
    short_sessions_need_no_second_setting,
    secrets_are_not_shown,
    file_with_secrets_that_others_can_read_is_warned_of_s117,
    missing_and_weak_master_keys_are_named,
];

/// `vestibule config check` in an empty folder with these variables and this file.
fn check(variables: &[(&str, &str)], file: Option<&str>) -> Output {
    let folder = TempDir::new().unwrap();
    if let Some(text) = file {
        fs::write(folder.path().join("vestibule.toml"), text).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
    command.args(["config", "check"]).env_clear().envs(variables.iter().copied()).current_dir(folder.path());
    let begun = Instant::now();
    let output = command.output().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{variables:?} took {:?}", begun.elapsed());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), usize::from(file.is_some()), "a check makes no file");
    output
}

#[track_caller]
fn refused(output: &Output, parts: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{text}");
    assert!(parts.iter().all(|part| text.contains(part)), "{parts:?} in {text}");
}

async fn settings_come_from_file_and_environment() {
    let file = "[server]\nlisten = [\"127.0.0.1:5001\"]\npublic_url = \"https://login.example\"\n[registration]\nopen = false\n";
    assert!(check(&[], Some(file)).status.success());
    let variables = [
        ("VESTIBULE_SERVER__LISTEN", "127.0.0.1:5001, [::1]:5001"),
        ("VESTIBULE_TOKENS__AUDIENCE", "shop"),
        ("VESTIBULE_TOKENS__ACCESS_LIFETIME", "300"),
        ("VESTIBULE_DOCS__ENABLED", "false"),
        ("PATH", "/nowhere"),
    ];
    assert!(check(&variables, Some(file)).status.success());
    let both = check(&[("VESTIBULE_SERVER__PUBLIC_URL", "ftp://login.example")], Some(file));
    refused(&both, &["server.public_url", "VESTIBULE_SERVER__PUBLIC_URL"]);
}

async fn every_bad_setting_is_named() {
    let cases = [
        ("VESTIBULE_SERVER__LISTEN", "5000", "server.listen"),
        ("VESTIBULE_SERVER__LISTEN", "", "server.listen"),
        ("VESTIBULE_SERVER__PUBLIC_URL", "localhost", "server.public_url"),
        ("VESTIBULE_SERVER__PUBLIC_URL", "http://user@localhost", "server.public_url"),
        ("VESTIBULE_SERVER__PUBLIC_URL", "http://:password@localhost", "server.public_url"),
        ("VESTIBULE_SERVER__MAX_BODY", "0", "server.max_body"),
        ("VESTIBULE_SERVER__MAX_BODY", "-1", "server.max_body"),
        ("VESTIBULE_SERVER__MAX_CONNECTIONS", "many", "server.max_connections"),
        ("VESTIBULE_SERVER__BODY_TIMEOUT", "0", "server.body_timeout"),
        ("VESTIBULE_SERVER__BODY_TIMEOUT", "301", "server.body_timeout"),
        ("VESTIBULE_SERVER__IDLE_TIMEOUT", "0", "server.idle_timeout"),
        ("VESTIBULE_SERVER__IDLE_TIMEOUT", "3601", "server.idle_timeout"),
        ("VESTIBULE_SERVER__TRUSTED_PROXIES", "10.0.0.1", "server.trusted_proxies"),
        ("VESTIBULE_SERVER__TRUSTED_PROXIES", "10.0.0.0/33", "server.trusted_proxies"),
        ("VESTIBULE_SERVER__TRUSTED_PROXIES", "10.0.0.0/8, 0.0.0.0/0", "server.trusted_proxies"),
        ("VESTIBULE_SERVER__TRUSTED_PROXIES", "::ffff:10.0.0.0/104", "server.trusted_proxies"),
        ("VESTIBULE_SERVER__CORS_ORIGINS", "*", "server.cors_origins"),
        ("VESTIBULE_SERVER__CORS_ORIGINS", "null", "server.cors_origins"),
        ("VESTIBULE_SERVER__CORS_ORIGINS", "app.example", "server.cors_origins"),
        ("VESTIBULE_SERVER__CORS_ORIGINS", "ftp://app.example", "server.cors_origins"),
        ("VESTIBULE_SERVER__CORS_ORIGINS", "https://*.app.example", "server.cors_origins"),
        ("VESTIBULE_SERVER__CORS_ORIGINS", "https://app.example/", "https://app.example"),
        ("VESTIBULE_SERVER__CORS_ORIGINS", "https://app.example:443", "https://app.example"),
        ("VESTIBULE_SERVER__CORS_ORIGINS", "https://b.example, https://App.example", "https://app.example"),
        ("VESTIBULE_SERVER__CORS_ORIGINS", "https://user@app.example", "server.cors_origins"),
        ("VESTIBULE_SERVER__COLOUR", "blue", "VESTIBULE_SERVER__COLOUR"),
        ("VESTIBULE_TLS__CERTIFICATE_FILE", "chain.pem", "tls.key_file"),
        ("VESTIBULE_TLS__KEY_FILE", "key.pem", "tls.certificate_file"),
        ("VESTIBULE_SREVER__LISTEN", "127.0.0.1:1", "srever"),
        ("VESTIBULE_DATABASE__URL", "oracle://x/y", "database.url"),
        ("VESTIBULE_DATABASE__URL", "sqlite://", "database.url"),
        ("VESTIBULE_DATABASE__URL", "sqlite::memory:", "database.url"),
        ("VESTIBULE_DATABASE__URL", "sqlite://x.db?mode=memory", "database.url"),
        ("VESTIBULE_DATABASE__URL", "sqlite://my%20base.db", "database.url"),
        ("VESTIBULE_SERVER__PUBLIC_URL", "http://localhost:5000 ", "server.public_url"),
        ("VESTIBULE_SERVER__PUBLIC_URL", "HTTPS://Login.Example:443/", "https://login.example"),
        ("VESTIBULE_SERVER_LISTEN", "127.0.0.1:1", "VESTIBULE_SERVER_LISTEN"),
        ("VESTIBULE_PASSWORDS__THREADS", "yes", "passwords.threads"),
        ("VESTIBULE_DATABASE__URL", "postgres://localhost", "database.url"),
        ("VESTIBULE_TOKENS__ACCESS_LIFETIME", "5", "tokens.access_lifetime"),
        ("VESTIBULE_TOKENS__ACCESS_LIFETIME", "86400", "tokens.access_lifetime"),
        ("VESTIBULE_TOKENS__CLIENT_ID", " ", "tokens.client_id"),
        ("VESTIBULE_SESSIONS__IDLE_LIFETIME", "999999999", "sessions.idle_lifetime"),
        ("VESTIBULE_THROTTLE__LOGIN_BURST", "0", "throttle.login_burst"),
        ("VESTIBULE_THROTTLE__FREE_FAILURES", "1000001", "throttle.free_failures"),
        ("VESTIBULE_THROTTLE__MAX_WAIT", "0", "throttle.max_wait"),
        ("VESTIBULE_THROTTLE__MEMORY", "899", "throttle.memory"),
        ("VESTIBULE_THROTTLE__KNOWN_DEVICES", "101", "throttle.known_devices"),
        ("VESTIBULE_THROTTLE__DEVICE_LIFETIME", "59", "throttle.device_lifetime"),
        ("VESTIBULE_SESSIONS__LIFETIME", "59", "sessions.lifetime"),
        ("VESTIBULE_SESSIONS__LIFETIME", "34560001", "sessions.lifetime"),
        ("VESTIBULE_SESSIONS__REFRESH_GRACE", "301", "sessions.refresh_grace"),
        ("VESTIBULE_SESSIONS__REFRESH_GRACE", "-1", "sessions.refresh_grace"),
        ("VESTIBULE_SESSIONS__MAX_PER_ACCOUNT", "0", "sessions.max_per_account"),
        ("VESTIBULE_SESSIONS__MAX_PER_ACCOUNT", "101", "sessions.max_per_account"),
        ("VESTIBULE_REGISTRATION__OPEN", "perhaps", "registration.open"),
        ("VESTIBULE_REGISTRATION__RESERVED_NAMES", "two words", "registration.reserved_names"),
        ("VESTIBULE_PASSWORDS__MIN_LENGTH", "7", "passwords.min_length"),
        ("VESTIBULE_PASSWORDS__MEMORY_KIB", "8192", "passwords.memory_kib"),
        ("VESTIBULE_PASSWORDS__MEMORY_KIB", "99999999", "passwords.memory_kib"),
        ("VESTIBULE_PASSWORDS__ITERATIONS", "1", "passwords.iterations"),
        ("VESTIBULE_DOCS__ENABLED", "3.5", "docs.enabled"),
        ("VESTIBULE_LOG__FORMAT", "xml", "log.format"),
        ("VESTIBULE_LOG__FILTER", "vestibule=loud", "log.filter"),
    ];
    for (name, value, key) in cases {
        refused(&check(&[(name, value)], None), &[key]);
    }
    let figures = Figures {
        id: "R26",
        scenario: "a bad setting",
        rounds: cases.len(),
        more: "each refused with exit code 6 within a second, the setting named".to_owned(),
        ..Figures::default()
    };
    figures.tell();
}

async fn bad_files_are_refused() {
    refused(&check(&[], Some("[server\n")), &["vestibule.toml"]);
    refused(&check(&[], Some("[server]\nlisten = 5000\n")), &["server.listen"]);
    refused(&check(&[], Some("[registration]\nopen = [1]\n")), &["registration.open"]);
    refused(&check(&[], Some("[sever]\nlisten = []\n")), &["sever"]);
    for (section, wrong) in [
        ("tokens", "access_lifetime = 600.7"),
        ("tokens", "client_id = 5"),
        ("passwords", "threads = true"),
        ("registration", "open = 2"),
        ("registration", "open = \"off\""),
        ("docs", "enabled = 0.0"),
        ("server", "listen = [5000]"),
    ] {
        let key = format!("{section}.{}", wrong.split(' ').next().unwrap());
        refused(&check(&[], Some(&format!("[{section}]\n{wrong}\n"))), &[&key]);
    }
    let missing =
        Command::new(env!("CARGO_BIN_EXE_vestibule")).args(["--config", "missing.toml", "config", "check"]).output();
    refused(&missing.unwrap(), &["missing.toml"]);
}

async fn unreadable_variables_are_refused() {
    let value = std::os::unix::ffi::OsStringExt::from_vec(b"postgres://h\xff/db".to_vec());
    let value: std::ffi::OsString = value;
    let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
    command.args(["config", "check"]).env_clear().env("VESTIBULE_DATABASE__URL", value);
    refused(&command.output().unwrap(), &["VESTIBULE_DATABASE__URL", "UTF-8"]);
}

async fn two_variables_for_one_setting_are_refused() {
    let proxies = ("VESTIBULE_SERVER__TRUSTED_PROXIES", "10.0.0.0/8");
    for (name, reason) in [
        ("VESTIBULE_SERVER", "VESTIBULE_SERVER: is a section"),
        ("VESTIBULE_server__trusted_proxies", "is set twice"),
        ("VESTIBULE_SERVER.TRUSTED_PROXIES", "VESTIBULE_SERVER.TRUSTED_PROXIES: there is no such setting"),
        ("VESTIBULE_SERVER__TRUSTED_PROXIES[0]", "VESTIBULE_SERVER__TRUSTED_PROXIES[0]: there is no such setting"),
    ] {
        // In which order variables are read is another one each time.
        for _ in 0..8 {
            refused(&check(&[proxies, (name, "192.168.0.0/16")], None), &[reason]);
        }
    }
    assert!(check(&[("VESTIBULE_server__trusted_proxies", "10.0.0.0/8")], None).status.success());
}

async fn short_sessions_need_no_second_setting() {
    assert!(check(&[("VESTIBULE_SESSIONS__LIFETIME", "86400")], None).status.success());
}

async fn weak_hashing_is_refused_beyond_loopback() {
    let weak = [("VESTIBULE_PASSWORDS__WEAK_HASHING_FOR_TESTS", "true"), ("VESTIBULE_PASSWORDS__MEMORY_KIB", "64")];
    assert!(check(&weak, None).status.success());
    let open = [weak[0], weak[1], ("VESTIBULE_SERVER__LISTEN", "0.0.0.0:5000")];
    refused(&check(&open, None), &["passwords.weak_hashing_for_tests", "loopback"]);
}

async fn secrets_are_not_shown() {
    let output = check(
        &[("VESTIBULE_DATABASE__URL", "postgres://user:hunter2@"), ("VESTIBULE_KEYS__MASTER_KEY", "hunter2")],
        None,
    );
    refused(&output, &["database.url"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("hunter2"));
    for broken in ["[database]\nurl = \"postgres://u:hunter2@h/db\n", "[keys]\nmaster_key = hunter2\n"] {
        let output = check(&[], Some(broken));
        refused(&output, &["vestibule.toml", "line 2"]);
        assert!(!String::from_utf8_lossy(&output.stderr).contains("hunter2"), "{output:?}");
    }
    let mut config = vestibule::config::Config::default();
    config.database.url = "postgres://user:hunter2@db/vestibule".to_owned().into();
    config.keys.master_key = Some("hunter2".to_owned().into());
    assert!(!format!("{config:?}").contains("hunter2") && !config.database.shown().contains("hunter2"));
}

async fn file_with_secrets_that_others_can_read_is_warned_of_s117() {
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
    assert!(!warned("[log]\nformat = \"text\"\n", 0o644), "there is no secret in it");
}

async fn missing_and_weak_master_keys_are_named() {
    let postgres = ("VESTIBULE_DATABASE__URL", "postgres://localhost/vestibule");
    refused(&check(&[postgres], None), &["VESTIBULE_KEYS__MASTER_KEY", "vestibule keys generate"]);
    let file = ("VESTIBULE_KEYS__MASTER_KEY_FILE", "missing.key");
    refused(&check(&[postgres, file], None), &["VESTIBULE_KEYS__MASTER_KEY_FILE", "missing.key"]);
    for weak in ["secret", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let key = ("VESTIBULE_KEYS__MASTER_KEY", weak);
        refused(&check(&[key], None), &["VESTIBULE_KEYS__MASTER_KEY", "vestibule keys generate"]);
    }
}
