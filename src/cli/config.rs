//! `vestibule config`

use std::path::Path;

use clap::Subcommand;
use serde_json::{Value, json};
use vestibule::{
    config::{Config, EffectiveSetting, Notation, markdown_reference, toml_example, toml_value},
    startup::{self, StartError, http},
};

use super::{
    failure::Failure,
    terminal::{print_json, print_text},
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Check every setting, the master key and the TLS files
    Check,
    /// Print every setting's value and where it comes from, with secrets redacted
    Show {
        /// Print JSON instead of TOML
        #[arg(long)]
        json: bool,
    },
    /// Print a vestibule.toml with every setting commented out at its default; needs no configuration
    Example,
    /// Print the reference of all settings in Markdown; needs no configuration
    Reference,
}

pub(super) fn check(config: &Config) -> Result<(), Failure> {
    startup::check_master_key(config)?;
    http::load_tls(config).map_err(StartError::Tls)?;
    print_text("The configuration can be used.\n")
}

pub(super) fn print_example() -> Result<(), Failure> {
    print_text(&toml_example())
}

pub(super) fn print_reference() -> Result<(), Failure> {
    print_text(&markdown_reference())
}

pub(super) fn show(file: Option<&Path>, json: bool) -> Result<(), Failure> {
    let raw = Config::load_settings(file)?;
    let settings = Config::from_settings(&raw)?.effective(&raw);
    if json { print_json(&as_json(&settings)) } else { print_text(&as_toml(&settings)) }
}

/// One line for each setting, with its source as a comment.
fn as_toml(settings: &[EffectiveSetting]) -> String {
    let line = |setting: &EffectiveSetting| {
        let value = toml_value(setting.declaration.notation, &setting.value);
        format!("{} = {value}  # {}\n", setting.declaration.key, setting.source)
    };
    settings.iter().map(line).collect()
}

/// One object for each setting. The value of a setting that is unset is null.
fn as_json(settings: &[EffectiveSetting]) -> Value {
    let object = |setting: &EffectiveSetting| {
        json!({
            "key": setting.declaration.key,
            "value": json_value(setting.declaration.notation, &setting.value),
            "source": setting.source.to_string(),
        })
    };
    settings.iter().map(object).collect()
}

fn json_value(notation: Notation, text: &str) -> Value {
    match notation {
        Notation::List => text.split(", ").filter(|item| !item.is_empty()).collect(),
        _ if text.is_empty() => Value::Null,
        // Numbers and truth values are JSON as they are.
        Notation::Bare => text.parse().unwrap_or_else(|_| text.into()),
        Notation::Quoted => text.into(),
    }
}
