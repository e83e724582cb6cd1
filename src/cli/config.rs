//! `vestibule config`

use std::path::Path;

use clap::Subcommand;
use serde_json::{Value, json};
use vestibule::{
    config::{Config, EffectiveSetting, markdown_reference, toml_example},
    startup,
};

use super::{
    failure::Failure,
    terminal::{print_json, print_text},
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Run the checks of a start, except those that need the database or a free port; creates nothing
    Check,
    /// Print the value and the source of every setting, with secrets redacted
    Show {
        /// Print JSON instead of TOML
        #[arg(long)]
        json: bool,
    },
    /// Print a vestibule.toml with every setting commented out at its default; requires no configuration
    Example,
    /// Print the reference of all settings in Markdown; requires no configuration
    Reference,
}

pub(super) fn check(config: &Config) -> Result<(), Failure> {
    startup::check(config)?;
    print_text("The configuration is valid.\n")
}

pub(super) fn print_example() -> Result<(), Failure> {
    print_text(&toml_example()?)
}

pub(super) fn print_reference() -> Result<(), Failure> {
    print_text(&markdown_reference())
}

pub(super) fn show(file: Option<&Path>, json: bool) -> Result<(), Failure> {
    let settings = Config::load(file)?.effective();
    if json { print_json(&as_json(&settings)) } else { print_text(&as_toml(&settings)) }
}

/// Returns one line for each setting, with its source as a comment.
fn as_toml(settings: &[EffectiveSetting]) -> String {
    let line = |setting: &EffectiveSetting| format!("{} = {}  # {}\n", setting.key, setting.value, source(setting));
    settings.iter().map(line).collect()
}

/// Returns one object for each setting. The value of an unset setting is null.
fn as_json(settings: &[EffectiveSetting]) -> Value {
    let object = |setting: &EffectiveSetting| {
        let value = if setting.value.as_str() == Some("") { Value::Null } else { json!(setting.value) };
        json!({ "key": setting.key, "value": value, "source": source(setting) })
    };
    settings.iter().map(object).collect()
}

fn source(setting: &EffectiveSetting) -> &str {
    setting.source.as_deref().unwrap_or("default")
}
