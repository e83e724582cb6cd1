//! The settings of the database: URLs are read as they are meant or rejected, and no part of a password is shown.

use std::{io::Read as _, process::Command};

use tempfile::TempDir;
use vestibule::config::Config;

use crate::{
    config::{assert_rejected, check},
    support::{app::write_master_key, process::vestibule},
};

/// The master key of these tests, which network databases require.
const KEY: &str = "VESTIBULE_KEYS__MASTER_KEY";

fn key() -> String {
    vestibule::startup::new_master_key().unwrap().to_text().to_string()
}

fn parse(variables: &[(&str, &str)]) -> Result<Config, String> {
    let variables = variables.iter().map(|(name, value)| (format!("VESTIBULE_DATABASE__{name}"), (*value).to_owned()));
    Config::parse("", variables).map_err(|error| error.to_string())
}

#[apply(trial)]
async fn password_with_a_raw_reserved_character_is_rejected_without_being_shown() {
    for (url, letter, encoded) in [
        ("postgres://app:Tr0ub4dor@Zebra/9@127.0.0.1:5432/db", "'@'", "%40"),
        ("postgres://app:Tr0ub4dor@Zebra@127.0.0.1:5432/db", "'@'", "%40"),
        ("mysql://app:Tr0ub4dor@Zebra@127.0.0.1:5432/db", "'@'", "%40"),
        ("postgres://app:Tr0ub4dor/Zebra@127.0.0.1:5432/db", "'/'", "%2F"),
        ("mariadb://app:Tr0ub4dor/Zebra@127.0.0.1:5432/db", "'/'", "%2F"),
        ("postgres://app:1234/Zebra@127.0.0.1:5432/db", "'/'", "%2F"),
        ("postgres://app:Tr0ub4dor?Zebra@127.0.0.1:5432/db", "'?'", "%3F"),
        ("postgres://app:Tr0ub4dor#Zebra@127.0.0.1:5432/db", "'#'", "%23"),
        ("postgres://app:Tr0ub4dor[Zebra@127.0.0.1:5432/db", "'['", "%5B"),
        ("postgres://app:Tr0ub4dor]Zebra@127.0.0.1:5432/db", "']'", "%5D"),
        ("postgres://app:Tr0ub4dor\\Zebra@127.0.0.1:5432/db", "'\\\\'", "%5C"),
        ("postgres://app:Tr0ub4dor Zebra@127.0.0.1:5432/db", "' '", "%20"),
        ("postgres://app:Tr0ub4dor\tZebra@127.0.0.1:5432/db", "'\\t'", "%09"),
        ("postgres://app:Tr0ub4dor\nZebra@127.0.0.1:5432/db", "'\\n'", "%0A"),
        ("postgres://app:Tr0ub4dor%Zebra@127.0.0.1:5432/db", "\"%\"", "%25"),
        ("postgres://app:Tr0ub4dorZebra%@127.0.0.1:5432/db", "\"%\"", "%25"),
        ("postgres://app@127.0.0.1:5432/db?password=Tr0ub4dor#Zebra", "'#'", "%23"),
        ("postgres://app@127.0.0.1:5432/db?password=Tr0ub4dor%Zebra", "\"%\"", "%25"),
        ("postgres://app@127.0.0.1:5432/db?password=Tr0ub4dor&Zebra=1", "\"&\"", "%26"),
        ("mysql://app@127.0.0.1:5432/db?password=Tr0ub4dor", "option", "options are"),
    ] {
        let error = parse(&[("URL", url)]).map(drop).expect_err(url);
        assert!(error.contains(letter) && error.contains(encoded), "{url}: {error}");
        assert!(!error.contains("Tr0ub4dor") && !error.contains("Zebra") && !error.contains("1234"), "{error}");
    }
}

#[apply(trial)]
async fn percent_encoded_password_is_accepted_and_redacted() {
    for encoded in
        ["Tr0ub4dor%40Zebra%2F9", "Tr0ub4dor%23%3F%5B%25%20Zebra", "Tr0ub4dor:Zebra", "Tr0ub4dor!$&'()*+,;=Zebra"]
    {
        let url = format!("postgres://app:{encoded}@127.0.0.1:5432/db");
        let config = parse(&[("URL", &url)]).unwrap();
        assert_eq!(config.database.describe(), "postgres, 127.0.0.1/db");
        let shown = format!("{config:?} {:?}", config.effective());
        assert!(!shown.contains("Tr0ub4dor") && !shown.contains("Zebra"), "{shown}");
        assert!(shown.contains("postgres://app:***@127.0.0.1:5432/db"), "{shown}");
    }
}

#[apply(trial)]
async fn urls_that_the_drivers_accept_are_accepted() {
    for (url, described) in [
        ("postgres:///db?host=/run/postgresql", "postgres, /run/postgresql/db"),
        ("postgres://app:secret@/db?host=/run/postgresql", "postgres, /run/postgresql/db"),
        ("postgres://app@/db?host=db.example&port=6432", "postgres, db.example/db"),
        ("postgres://app@?host=/run/postgresql&dbname=db", "postgres, /run/postgresql/db"),
        ("postgres://%2Frun%2Fpostgresql/db", "postgres, /run/postgresql/db"),
        ("postgres://localhost?dbname=db", "postgres, localhost/db"),
        ("postgresql://app:secret@[::1]:5432/db?sslmode=disable", "postgres, [::1]/db"),
        ("postgres://localhost/db?options=-c%20geqo%3Doff&options[search_path]=auth", "postgres, localhost/db"),
        ("mariadb://app:secret@localhost:3306/db", "mysql, localhost/db"),
        ("mysql://app:secret@localhost/db?socket=/run/mysqld/mysqld.sock", "mysql, /run/mysqld/mysqld.sock/db"),
        ("mysql://app:secret@/db?socket=/run/mysqld/mysqld.sock", "mysql, /run/mysqld/mysqld.sock/db"),
        ("mysql://app@localhost/db?ssl-mode=VERIFY_IDENTITY&ssl-ca=ca.pem&charset=utf8mb4", "mysql, localhost/db"),
    ] {
        let config = parse(&[("URL", url)]).unwrap_or_else(|error| panic!("{url}: {error}"));
        assert_eq!(config.database.describe(), described, "{url}");
        assert!(config.database.file().is_none(), "{url}");
    }
    for (url, reason) in [
        ("postgres://localhost", "must name a database"),
        ("mysql://localhost", "must name a database"),
        ("postgres:localhost/db", "must begin with postgres://"),
        ("postgres://localhost:port/db", "is not a valid URL"),
        ("postgres://localhost/db?sslmode=sometimes", "invalid value of the option sslmode"),
        ("postgres://localhost/db?ssl=true", "an option that the driver does not know"),
    ] {
        let error = parse(&[("URL", url)]).map(drop).expect_err(url);
        assert!(error.contains(reason), "{url}: {error}");
    }
}

/// Returns the URL that the driver reads.
fn driver_url(config: &Config) -> url::Url {
    use secrecy::ExposeSecret as _;
    config.database.url.secret().expose_secret().parse().unwrap()
}

#[apply(trial)]
async fn separate_settings_need_no_encoding() {
    let password = "Tr0ub4dor@Zebra/9?#[]:%41 \u{e9}&=+";
    let server = [("ENGINE", "postgres"), ("HOST", "127.0.0.1"), ("NAME", "my db"), ("USERNAME", "app@corp")];
    let options = ("OPTIONS", "sslmode=require,application_name=a&b");
    let config = parse(&[&server[..], &[("PASSWORD", password), ("PORT", "6432"), options]].concat()).unwrap();
    let url = driver_url(&config);
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
    assert_eq!(decoded(url.password().unwrap()), password);
    assert_eq!(decoded(url.username()), "app@corp");
    assert_eq!((url.scheme(), url.host_str(), url.port()), ("postgres", Some("127.0.0.1"), Some(6432)));
    assert_eq!(decoded(url.path()), "/my db");
    let options: Vec<_> = url.query_pairs().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(options, ["sslmode=require", "application_name=a&b"]);
    let shown = format!("{config:?} {:?}", config.effective());
    assert!(!shown.contains("Tr0ub4dor") && !shown.contains("%40Zebra"), "{shown}");

    let config = parse(&[("URL", "mariadb://app@db.example:3307/db"), ("PASSWORD", password)]).unwrap();
    assert_eq!(decoded(driver_url(&config).password().unwrap()), password);
    let socket = [("ENGINE", "mariadb"), ("HOST", "/run/mysqld/mysqld.sock"), ("NAME", "db")];
    assert_eq!(parse(&socket).unwrap().database.describe(), "mysql, /run/mysqld/mysqld.sock/db");
    let ipv6 = [("ENGINE", "postgres"), ("HOST", "::1"), ("NAME", "db")];
    assert_eq!(parse(&ipv6).unwrap().database.describe(), "postgres, [::1]/db");
}

#[apply(trial)]
async fn contradictory_database_settings_are_rejected() {
    let url = ("URL", "postgres://app@localhost/db");
    let [engine, host, name] = [("ENGINE", "postgres"), ("HOST", "localhost"), ("NAME", "db")];
    for (variables, key, reason) in [
        (&[url, host][..], "database.host", "must not be set together with database.url"),
        (&[url, name], "database.name", "must not be set together with database.url"),
        (&[url, ("OPTIONS", "sslmode=require")], "database.options", "must not be set together with database.url"),
        (&[host, name], "database.engine", "must be set because database.host is set"),
        (&[engine, name], "database.host", "must be set because database.engine is set"),
        (&[engine, host], "database.name", "must be set because database.engine is set"),
        (&[engine, host, name, ("PASSWORD", "hunter2")], "database.username", "must be set because"),
        (&[("PASSWORD", "hunter2")], "database.password", "set database.url or database.host"),
        (
            &[("URL", "postgres://app:hunter3@localhost/db"), ("PASSWORD", "hunter2")],
            "database.password",
            "database.url contains a password",
        ),
        (&[("URL", "postgres://localhost/db"), ("PASSWORD", "hunter2")], "database.password", "names no user"),
        (&[engine, ("HOST", "localhost:5432"), name], "database.host", "write the port in database.port"),
        (&[engine, host, name, ("OPTIONS", "dbname=x")], "database.options", "must be set in database.name"),
        (&[engine, host, name, ("OPTIONS", "ssl=true")], "database.options", "an option that the driver does not know"),
    ] {
        let error = parse(variables).map(drop).expect_err(key);
        assert!(error.starts_with(&format!("{key} (")) && error.contains(reason), "{error}");
        assert!(!error.contains("hunter"), "{error}");
    }
}

/// Runs a server that cannot reach its database, and returns everything that it prints.
fn failed_start(folder: &TempDir, configure: impl FnOnce(&mut Command)) -> String {
    let mut command = vestibule(folder);
    command.env("VESTIBULE_LOG__FILTER", "trace").env("VESTIBULE_DATABASE__START_TIMEOUT", "1s");
    command.env("VESTIBULE_KEYS__MASTER_KEY_FILE", "vestibule.key");
    configure(&mut command);
    let mut child = command.spawn().unwrap();
    assert!(!child.wait().unwrap().success());
    let (mut out, mut log) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    out + &log
}

#[apply(trial)]
async fn failed_start_logs_no_part_of_the_password() {
    let folder = TempDir::new().unwrap();
    write_master_key(&folder);
    let port = crate::support::process::unused_port().to_string();
    let raw = failed_start(&folder, |command| {
        command.env("VESTIBULE_DATABASE__URL", format!("postgres://app:Tr0ub4dor@Zebra/9@127.0.0.1:{port}/db"));
    });
    let separate = failed_start(&folder, |command| {
        let settings = [("ENGINE", "postgres"), ("HOST", "127.0.0.1"), ("NAME", "accounts"), ("USERNAME", "app")];
        command.envs(settings.map(|(name, value)| (format!("VESTIBULE_DATABASE__{name}"), value)));
        command.env("VESTIBULE_DATABASE__PORT", &port).env("VESTIBULE_DATABASE__PASSWORD", "Tr0ub4dor@Zebra/9");
    });
    assert!(separate.contains("database.host (VESTIBULE_DATABASE__HOST): postgres, 127.0.0.1/accounts"), "{separate}");
    for output in [raw, separate] {
        let output = output.to_lowercase();
        assert!(!output.contains("tr0ub4dor") && !output.contains("zebra"), "{output}");
    }
}

#[apply(trial)]
async fn certificate_files_of_the_driver_are_checked() {
    let key = key();
    let url = "postgres://app@localhost/db?sslmode=verify-full&sslrootcert=missing.pem";
    let output = check(&[(KEY, &key), ("VESTIBULE_DATABASE__URL", url)], None);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("missing.pem"), "{text}");
    assert_rejected(&check(&[(KEY, &key), ("VESTIBULE_DATABASE__URL", "postgres://h")], None), &["database.url"]);
}
