//! Secrets are read from files, if only the service can read these.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::Path,
    process::{Command, Output},
};

use rustix::process::{getegid, geteuid};
use tempfile::TempDir;
use vestibule::{config::Config, startup};

use crate::{config::assert_rejected, support::process::vestibule};

/// A user and group that own nothing else.
const OTHER: u32 = 61_234;

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn key() -> String {
    startup::new_master_key().unwrap().to_text().to_string()
}

/// Runs `config check` in a folder with these variables.
fn check_in(folder: &TempDir, variables: &[(&str, &str)]) -> Output {
    let mut command = vestibule(folder);
    command.args(["config", "check"]).envs(variables.iter().copied()).output().unwrap()
}

#[apply(trial)]
async fn every_secret_can_come_from_a_file() {
    let folder = TempDir::new().unwrap();
    let secrets = Config::declarations().filter(|setting| setting.secret);
    let mut count = 0;
    for secret in secrets {
        count += 1;
        let file = Config::declarations().find(|setting| setting.key == format!("{}_file", secret.key));
        let file = file.unwrap_or_else(|| panic!("{} has no setting for a file", secret.key));
        for end in ["", "\n", "\r\n", "\n\n"] {
            let (text, more) = match secret.key {
                "database.url" => ("postgres://app:hunter2@localhost/db".to_owned(), vec![]),
                "database.password" => {
                    ("hunter2@ ".to_owned(), vec![("VESTIBULE_DATABASE__URL", "postgres://app@localhost/db")])
                }
                _ => (key(), vec![]),
            };
            let path = folder.path().join("secret");
            write(&path, &format!("{text}{end}"), 0o600);
            let key = key();
            let mut variables = vec![(file.variable(), "secret".to_owned())];
            variables.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
            if secret.key != "keys.master_key" {
                variables.push(("VESTIBULE_KEYS__MASTER_KEY".to_owned(), key));
            }
            let borrowed: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let output = check_in(&folder, &borrowed);
            assert!(output.status.success(), "{}: {output:?}", secret.key);
            let mut show = vestibule(&folder);
            let shown = show.args(["config", "show"]).envs(borrowed).output().unwrap();
            let shown = String::from_utf8(shown.stdout).unwrap();
            assert!(shown.contains(&format!("{} = \"secret\"  # {}", file.key, file.variable())), "{shown}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
    assert!(count >= 3, "{count}");
}

#[apply(trial)]
async fn line_breaks_after_a_secret_are_ignored_in_variables_too() {
    use secrecy::ExposeSecret as _;
    let variables = [
        ("VESTIBULE_DATABASE__URL", "postgres://app@localhost/db\n"),
        ("VESTIBULE_DATABASE__PASSWORD", "hunter2 \r\n"),
        ("VESTIBULE_KEYS__MASTER_KEY", "secret\n"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::parse("", variables).unwrap();
    assert_eq!(config.database.url.secret().expose_secret(), "postgres://app:hunter2%20@localhost/db");
    assert_eq!(config.keys.master_key.unwrap().expose_secret(), "secret");
}

#[apply(trial)]
async fn secret_and_its_file_are_not_set_together() {
    let folder = TempDir::new().unwrap();
    write(&folder.path().join("secret"), "postgres://app@localhost/db", 0o600);
    for secret in Config::declarations().filter(|setting| setting.secret) {
        let file = format!("{}_FILE", secret.variable());
        let output = check_in(&folder, &[(&secret.variable(), "hunter2"), (&file, "secret")]);
        let both = format!("must not be set together with {} ({})", secret.key, secret.variable());
        assert_rejected(&output, &[&file, &both]);
        // The two places may be the configuration file and a variable.
        let (section, name) = secret.key.split_once('.').unwrap();
        write(&folder.path().join("vestibule.toml"), &format!("[{section}]\n{name}_file = \"secret\"\n"), 0o600);
        let output = check_in(&folder, &[(&secret.variable(), "hunter2")]);
        assert_rejected(&output, &[&both, "set in vestibule.toml and in", &secret.variable()]);
        fs::remove_file(folder.path().join("vestibule.toml")).unwrap();
    }
}

#[apply(trial)]
async fn unusable_secret_files_are_rejected() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("secret");
    let url = ("VESTIBULE_DATABASE__URL_FILE", "secret");
    assert_rejected(&check_in(&folder, &[url]), &[url.0, "secret", "No such file"]);
    for blank in ["", "\n", " \n"] {
        write(&file, blank, 0o600);
        assert_rejected(&check_in(&folder, &[url]), &[url.0, "the file is empty"]);
    }
    fs::write(&file, b"postgres://app:h\xff@localhost/db").unwrap();
    assert_rejected(&check_in(&folder, &[url]), &[url.0, "not UTF-8"]);
    write(&file, &"x".repeat(70_000), 0o600);
    assert_rejected(&check_in(&folder, &[url]), &[url.0, "larger than 64 KiB"]);
    write(&file, "postgres://app:Tr0ub4dor@Zebra/9@localhost/db\n", 0o600);
    let output = check_in(&folder, &[url]);
    assert_rejected(&output, &["database.url", "%40"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("Zebra"), "{output:?}");
    assert_rejected(&check_in(&folder, &[("VESTIBULE_DATABASE__URL_FILE", ".")]), &["VESTIBULE_DATABASE__URL_FILE"]);
}

/// Runs the check as another user with the group of the file, if the tests run as root.
fn check_as_other(folder: &TempDir, variables: &[(&str, &str)]) -> Output {
    let mut command = vestibule(folder);
    command.args(["config", "check"]).envs(variables.iter().copied()).uid(OTHER).gid(OTHER);
    command.output().unwrap()
}

/// A file with a secret belongs to the user of the process with mode 0600 or stricter, or to root with mode 0640 or
/// stricter.
#[apply(trial)]
async fn secret_files_that_others_can_access_are_rejected() {
    let key = key();
    let variables = [
        ("VESTIBULE_DATABASE__URL", "postgres://app@localhost/db"),
        ("VESTIBULE_DATABASE__PASSWORD_FILE", "password"),
        ("VESTIBULE_KEYS__MASTER_KEY_FILE", "key"),
    ];
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let files = [folder.path().join("password"), folder.path().join("key")];
    let set = |index: usize, mode: u32, owner: Option<(u32, u32)>| {
        write(&files[index], if index == 0 { "hunter2\n" } else { &key }, mode);
        let (user, group) = owner.unwrap_or((geteuid().as_raw(), getegid().as_raw()));
        chown(&files[index], Some(user), Some(group)).unwrap();
    };
    for index in [0, 1] {
        let own = |mode| {
            set(1 - index, 0o600, None);
            set(index, mode, None);
            check_in(&folder, &variables)
        };
        for mode in [0o600, 0o400] {
            assert!(own(mode).status.success(), "{mode:o}");
        }
        for mode in [0o640, 0o604, 0o620, 0o444] {
            assert_rejected(&own(mode), &["_FILE", &format!("mode {mode:o}"), "chmod 600"]);
        }
        if !geteuid().is_root() {
            continue;
        }
        // The process runs as another user, as in a container. The group of the file is that of the process.
        let of_root = |mode, owner: u32| {
            set(1 - index, 0o400, Some((OTHER, OTHER)));
            set(index, mode, Some((owner, OTHER)));
            check_as_other(&folder, &variables)
        };
        for mode in [0o640, 0o440] {
            let output = of_root(mode, 0);
            assert!(output.status.success(), "{mode:o}: {output:?}");
        }
        for mode in [0o444, 0o644, 0o660, 0o650] {
            assert_rejected(
                &of_root(mode, 0),
                &["_FILE", &format!("mode {mode:o}, owner 0"), "defaultMode: 0440", "mode: 0400"],
            );
        }
        assert!(of_root(0o600, OTHER).status.success());
        assert_rejected(&of_root(0o440, OTHER), &["mode 440"]);
        assert_rejected(&of_root(0o440, OTHER + 1), &["belongs to the user", "chown"]);
    }
}

#[apply(trial)]
async fn file_that_only_names_secret_files_causes_no_warning() {
    let folder = TempDir::new().unwrap();
    write(&folder.path().join("key"), &key(), 0o600);
    write(&folder.path().join("vestibule.toml"), "[keys]\nmaster_key_file = \"key\"\n", 0o644);
    let output = check_in(&folder, &[]);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let variable = ("VESTIBULE_DATABASE__URL", "postgres://app:hunter2@localhost/db");
    let output = check_in(&folder, &[variable]);
    assert!(output.status.success() && output.stderr.is_empty(), "the secret is in the variable: {output:?}");
    let url = "[database]\nurl = \"postgres://app@localhost/db\"\n[keys]\nmaster_key_file = \"key\"\n";
    write(&folder.path().join("vestibule.toml"), url, 0o644);
    let output = check_in(&folder, &[("VESTIBULE_DATABASE__PASSWORD", "hunter2")]);
    assert!(output.status.success() && output.stderr.is_empty(), "the password is in the variable: {output:?}");
    let mut unknown = Command::new(env!("CARGO_BIN_EXE_vestibule"));
    unknown.args(["config", "check"]).env_clear().current_dir(folder.path());
    let output = unknown.env("VESTIBULE_SERVER__LISTEN_FILE", "key").output().unwrap();
    assert_rejected(&output, &["VESTIBULE_SERVER__LISTEN_FILE", "there is no such setting"]);
}
