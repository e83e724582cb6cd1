//! `config check` rejects everything that a start would reject before it needs the database, with the same message and
//! exit code.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;
use vestibule::startup;

use crate::support::process::vestibule;

/// A start that must fail: its variables, and what both messages contain.
type BadInput = (&'static [(&'static str, &'static str)], &'static str);

const NETWORK: (&str, &str) = ("DATABASE__URL", "postgres://app@127.0.0.1:1/db");
const HTTPS: (&str, &str) = ("SERVER__PUBLIC_URL", "https://localhost");
const CHAIN: (&str, &str) = ("TLS__CERTIFICATE_FILE", "chain.pem");
const TRACES: (&str, &str) = ("TRACES__ENDPOINT", "http://127.0.0.1:1");

/// Everything that can be wrong outside the configuration, and examples of what can be wrong in it.
const BAD_INPUTS: &[BadInput] = &[
    (&[("KEYS__MASTER_KEY", "secret")], "keys.master_key"),
    (&[("KEYS__MASTER_KEY_FILE", "bad.key")], "bad.key"),
    (&[("KEYS__MASTER_KEY_FILE", "empty.key")], "empty"),
    (&[("KEYS__MASTER_KEY_FILE", "loose.key")], "mode 644"),
    (&[("KEYS__MASTER_KEY_FILE", "folder")], "folder"),
    (&[("KEYS__MASTER_KEY_FILE", "missing/new.key")], "missing/new.key"),
    (&[("KEYS__MASTER_KEY_FILE", "good.key/new.key")], "good.key/new.key"),
    (&[("KEYS__MASTER_KEY_FILE", "good.key"), ("KEYS__MASTER_KEY", "secret")], "must not be set together"),
    (&[NETWORK], "keys.master_key"),
    (&[NETWORK, ("KEYS__MASTER_KEY_FILE", "missing.key")], "missing.key"),
    (&[("DATABASE__URL", "sqlite://missing/vestibule.db")], "missing/vestibule.db"),
    (&[("DATABASE__URL", "sqlite://folder")], "folder"),
    (&[("DATABASE__URL_FILE", "missing.url")], "missing.url"),
    (&[("DATABASE__URL_FILE", "loose.key")], "mode 644"),
    (
        &[
            ("DATABASE__URL", "postgres://app@127.0.0.1:1/db?sslrootcert=missing.pem"),
            ("KEYS__MASTER_KEY_FILE", "good.key"),
        ],
        "missing.pem",
    ),
    (&[HTTPS, CHAIN, ("TLS__KEY_FILE", "missing.pem")], "missing.pem"),
    (&[HTTPS, CHAIN, ("TLS__KEY_FILE", "loose.key")], "tls.key_file"),
    (&[HTTPS, CHAIN, ("TLS__KEY_FILE", "good.key")], "tls.key_file"),
    (&[HTTPS, ("TLS__CERTIFICATE_FILE", "missing.pem"), ("TLS__KEY_FILE", "key.pem")], "tls.certificate_file"),
    (&[HTTPS, ("TLS__CERTIFICATE_FILE", "good.key"), ("TLS__KEY_FILE", "key.pem")], "tls.certificate_file"),
    (&[("TRACES__ENDPOINT", "http://app:secret@127.0.0.1:1")], "traces.endpoint"),
    (&[("SERVER__LISTEN", "127.0.0.1:5000,127.0.0.1:5000")], "server.listen"),
    (&[("METRICS__LISTEN", "[::]:0,")], "metrics.listen"),
    (&[("LOG__FILTER", "warning")], "log.filter"),
    (&[("PASSWORDS__HASH_MEMORY", "8KiB"), ("PASSWORDS__HASH_PARALLELISM", "2")], "passwords.hash_memory"),
];

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Creates the files that the inputs name.
fn create_files(folder: &TempDir) {
    let path = |name: &str| folder.path().join(name);
    let key = startup::new_master_key().unwrap().to_text();
    write(&path("good.key"), &key, 0o600);
    write(&path("loose.key"), &key, 0o644);
    write(&path("bad.key"), "secret", 0o600);
    write(&path("empty.key"), "\n", 0o600);
    fs::create_dir(path("folder")).unwrap();
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    write(&path("chain.pem"), &certificate.cert.pem(), 0o644);
    write(&path("key.pem"), &certificate.signing_key.serialize_pem(), 0o600);
}

fn run(folder: &TempDir, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command: Command = vestibule(folder);
    command.args(arguments).env("VESTIBULE_DATABASE__START_TIMEOUT", "0s");
    for (name, value) in variables {
        command.env(format!("VESTIBULE_{name}"), value);
    }
    command.output().unwrap()
}

#[apply(trial)]
async fn check_rejects_what_a_start_rejects() {
    for (variables, message) in BAD_INPUTS {
        let folder = TempDir::new().unwrap();
        create_files(&folder);
        let before = fs::read_dir(folder.path()).unwrap().count();
        let checked = run(&folder, &["config", "check"], variables);
        let text = String::from_utf8_lossy(&checked.stderr);
        assert!(!checked.status.success() && text.contains(message), "{variables:?}: {text}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before, "the check must not create files");
        let started = run(&folder, &["serve"], variables);
        let started_text = String::from_utf8_lossy(&started.stderr);
        assert_eq!((checked.status.code(), &text), (started.status.code(), &started_text), "{variables:?}");
    }
}

#[apply(trial)]
async fn check_accepts_what_a_start_accepts() {
    for variables in [
        &[][..],
        &[("KEYS__MASTER_KEY_FILE", "good.key")],
        &[("KEYS__MASTER_KEY_FILE", "folder/new.key"), ("DATABASE__URL", "sqlite://folder/new.db")],
        &[HTTPS, CHAIN, ("TLS__KEY_FILE", "key.pem")],
        &[TRACES],
        &[("SERVER__LISTEN", "127.0.0.1:0,[::1]:0"), ("METRICS__LISTEN", "127.0.0.1:0")],
    ] {
        let folder = TempDir::new().unwrap();
        create_files(&folder);
        let checked = run(&folder, &["config", "check"], variables);
        assert!(checked.status.success(), "{variables:?}: {checked:?}");
        let migrated = run(&folder, &["migrate"], variables);
        assert!(migrated.status.success(), "{variables:?}: {migrated:?}");
    }
}
