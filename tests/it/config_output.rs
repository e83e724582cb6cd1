//! The commands that print settings: `config show`, `config reference` and `config example`.

use std::{fs, process::Command};

use serde_json::{Value, json};
use tempfile::TempDir;
use vestibule::{
    config::{Config, markdown_reference, toml_example},
    domain::password::MIN_COST,
};

use crate::{config::check, support::Settings};

/// Returns the values that a file and variables give, with secrets redacted.
fn shown(file: &str, variables: &[(&str, &str)]) -> Vec<toml::Value> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let settings = Config::parse(file, variables).unwrap().effective();
    settings.into_iter().map(|setting| setting.value).collect()
}

/// Writes a value as a variable has it.
fn as_text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(items) => items.iter().map(as_text).collect::<Vec<_>>().join(", "),
        value => value.to_string(),
    }
}

#[apply(trial)]
async fn blank_text_means_unset_for_every_setting() {
    let defaults = shown("", &[]);
    for declaration in Config::declarations() {
        let (section, name) = declaration.key.split_once('.').unwrap();
        for blank in ["", " ", "\t ", "\n"] {
            let file = format!("[{section}]\n{name} = {}\n", toml::Value::from(blank));
            assert_eq!(shown(&file, &[]), defaults, "{}", declaration.key);
            assert_eq!(shown("", &[(&declaration.variable(), blank)]), defaults, "{}", declaration.key);
        }
    }
    let file = "[sessions]\nrefresh_grace_period = \"7s\"\n";
    let both = shown(file, &[("VESTIBULE_SESSIONS__REFRESH_GRACE_PERIOD", "")]);
    assert_eq!(both, shown(file, &[]), "an empty variable leaves the file's value");
}

/// Each default is parsed as every other value is, so it lies within the bounds.
#[apply(trial)]
async fn defaults_are_shown_as_declared() {
    let declared: Vec<_> = Config::declarations().map(|declaration| declaration.default).collect();
    assert_eq!(shown("", &[]).iter().map(as_text).collect::<Vec<_>>(), declared);
}

/// What a description says with a number in it is what the code does.
#[apply(trial)]
async fn descriptions_state_the_defaults_of_unset_settings() {
    let config = Settings::default().config();
    let days = config.sessions.idle_lifetime().as_secs() / (24 * 60 * 60);
    for (key, sentence) in [
        ("sessions.idle_lifetime", format!("If unset, `{days}d` or `sessions.lifetime`, whichever is shorter.")),
        ("passwords.hash_memory", format!("at least `{}MiB`.", MIN_COST.memory_kib / 1024)),
        ("passwords.hash_iterations", format!("at least {}.", MIN_COST.iterations)),
    ] {
        let declaration = Config::declarations().find(|declaration| declaration.key == key).unwrap();
        let description = declaration.description.join("");
        assert!(description.contains(&sentence), "{sentence} in {description}");
    }
}

/// Returns what `vestibule config` prints in a folder with this file.
fn print(arguments: &[&str], variables: &[(&str, &str)], file: &str) -> String {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("vestibule.toml"), file).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
    command.arg("config").args(arguments).env_clear().envs(variables.iter().copied()).current_dir(folder.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[apply(trial)]
async fn effective_settings_name_their_source() {
    let file = "[limits]\nlogin_burst = 7\n[sessions]\nlifetime = \"48h\"\n";
    let variables = [("VESTIBULE_SESSIONS__LIFETIME", "72h"), ("VESTIBULE_SERVER__CORS_ORIGINS", "https://a.example")];
    let text = print(&["show"], &variables, file);
    for line in [
        "limits.login_burst = 7  # vestibule.toml",
        "limits.logins_per_minute = 30  # default",
        "sessions.lifetime = \"3d\"  # VESTIBULE_SESSIONS__LIFETIME",
        "server.cors_origins = [\"https://a.example\"]  # VESTIBULE_SERVER__CORS_ORIGINS",
        "tokens.audience = \"\"  # default",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} in {text}");
    }
    assert_eq!(text.lines().count(), Config::declarations().count());
    let again = print(&["show"], &[], &text);
    assert!(again.contains("sessions.lifetime = \"3d\"  # vestibule.toml"), "what is shown is a file: {again}");
    let json: Value = serde_json::from_str(&print(&["show", "--json"], &variables, file)).unwrap();
    let settings = json.as_array().unwrap();
    for setting in [
        json!({ "key": "limits.login_burst", "value": 7, "source": "vestibule.toml" }),
        json!({ "key": "docs.enabled", "value": true, "source": "default" }),
        json!({ "key": "tokens.audience", "value": null, "source": "default" }),
        json!({ "key": "server.listen", "value": ["127.0.0.1:5000", "[::1]:5000"], "source": "default" }),
    ] {
        assert!(settings.contains(&setting), "{setting}");
    }
}

#[apply(trial)]
async fn effective_settings_hide_secrets() {
    let url = "postgres://user:hunter2@db/vestibule?sslmode=require&password=hunter2";
    let variables = [("VESTIBULE_DATABASE__URL", url), ("VESTIBULE_KEYS__MASTER_KEY", "hunter2")];
    for arguments in [&["show"][..], &["show", "--json"]] {
        let text = print(arguments, &variables, "");
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("postgres://user:***@db/vestibule?sslmode=require&password=***"), "{text}");
    }
}

#[apply(trial)]
async fn reference_and_example_are_generated() {
    for (command, file) in [("reference", "docs/configuration.md"), ("example", "docs/vestibule.example.toml")] {
        let committed = fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(print(&[command], &[], "") == committed, "run: vestibule config {command} >{file}");
    }
    let reference = markdown_reference();
    for declaration in Config::declarations() {
        let row = format!("| `{}` | `{}` |", declaration.name, declaration.variable());
        assert_eq!(reference.matches(&row).count(), 1, "{row}");
    }
}

#[apply(trial)]
async fn example_with_every_setting_is_accepted() {
    let example = toml_example().unwrap();
    let is_setting = |line: &str| line.starts_with('#') && !line.starts_with("# ");
    assert_eq!(example.lines().filter(|line| is_setting(line)).count(), Config::declarations().count());
    let lines = example.lines().map(|line| line.strip_prefix('#').filter(|_| is_setting(line)).unwrap_or(line));
    let every: String = lines.flat_map(|line| [line, "\n"]).collect();
    let output = check(&[], Some(&every));
    assert!(output.status.success(), "{output:?}");
}
