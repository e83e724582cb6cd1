//! Reading: the file and the environment as one flat map from keys to values that are not parsed yet.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    ffi::OsString,
    fmt, fs, io,
    path::Path,
};

use toml::Table;

use super::{
    error::{ConfigError, PREFIX, variable},
    value::{Notation, Value},
};

/// The file that is read if it exists and no other is named.
pub const DEFAULT_FILE: &str = "vestibule.toml";

/// Where the value of a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The declaration.
    Default,
    /// The file of this name.
    File(String),
    /// The environment variable of this name.
    Variable(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(name) | Self::Variable(name) => f.write_str(name),
        }
    }
}

/// A value that is not parsed yet.
enum RawValue {
    /// Text, of a variable or in quotes.
    Text(String),
    /// A whole number or a truth value of the file.
    Bare(String),
    /// A list of texts of the file.
    List(Vec<String>),
    /// A value of the file of a kind that no setting has.
    Unusable(&'static str),
}

impl From<toml::Value> for RawValue {
    fn from(value: toml::Value) -> Self {
        match value {
            toml::Value::String(text) => Self::Text(text),
            toml::Value::Integer(number) => Self::Bare(number.to_string()),
            toml::Value::Boolean(flag) => Self::Bare(flag.to_string()),
            toml::Value::Array(items) => {
                let items: Option<Vec<_>> = items.iter().map(|item| item.as_str().map(ToOwned::to_owned)).collect();
                items.map_or(Self::Unusable("a list with an entry that is not text"), Self::List)
            }
            toml::Value::Float(_) => Self::Unusable("a decimal number"),
            toml::Value::Datetime(_) => Self::Unusable("a date"),
            toml::Value::Table(_) => Self::Unusable("a table"),
        }
    }
}

/// What the file and the environment set, by key.
pub struct RawSettings {
    /// The keys of all settings that exist.
    known: BTreeSet<&'static str>,
    values: BTreeMap<&'static str, (RawValue, Source)>,
}

/// Values are left out: they may be secrets.
impl fmt::Debug for RawSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.values.iter().map(|(key, (_, source))| (key, source))).finish()
    }
}

impl RawSettings {
    /// Reads the file, if `file` names one or [`DEFAULT_FILE`] exists, then the environment, which wins.
    pub(super) fn load(known: BTreeSet<&'static str>, file: Option<&Path>) -> Result<Self, ConfigError> {
        let (name, required) = file.map_or((Path::new(DEFAULT_FILE), false), |file| (file, true));
        let text = match fs::read_to_string(name) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !required => String::new(),
            Err(error) => return Err(ConfigError::at(name.display(), format_args!("cannot be read: {error}"))),
        };
        Self::parse(known, &name.display().to_string(), &text, environment()?)
    }

    /// Reads the text of a file, then variables, which win.
    pub(super) fn parse(
        known: BTreeSet<&'static str>,
        file: &str,
        text: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut settings = Self { known, values: BTreeMap::new() };
        settings.add_file(file, text)?;
        settings.add_variables(variables)?;
        Ok(settings)
    }

    /// Parses the value of a setting, or its default if it is not set.
    pub(super) fn value<T: Value>(&self, key: &str, default: &str) -> Result<T, ConfigError> {
        let parsed = match self.values.get(key).map(|(value, _)| value) {
            None => T::parse(default),
            Some(RawValue::Text(text)) => T::parse(text),
            Some(RawValue::Bare(text)) if T::NOTATION == Notation::Bare => T::parse(text),
            Some(RawValue::Bare(_)) => Err(format!("must be in quotes; write {}", T::describe())),
            Some(RawValue::List(items)) => T::parse_list(items.iter().map(String::as_str)),
            Some(RawValue::Unusable(kind)) => Err(format!("is {kind}; write {}", T::describe())),
        };
        parsed.map_err(|reason| ConfigError::setting(key, reason))
    }

    /// Returns where the value of a setting comes from.
    pub fn source(&self, key: &str) -> Source {
        self.values.get(key).map_or(Source::Default, |(_, source)| source.clone())
    }

    fn add_file(&mut self, file: &str, text: &str) -> Result<(), ConfigError> {
        let table: Table = text.parse().map_err(|error| toml_error(file, text, &error))?;
        for (section, content) in table {
            let toml::Value::Table(content) = content else {
                return Err(ConfigError::at(file, format_args!("{section}: {}", self.describe_known(&section))));
            };
            for (name, value) in content {
                let key = format!("{section}.{name}");
                let Some(key) = self.known.get(key.as_str()).copied() else {
                    return Err(ConfigError::at(file, format_args!("{key}: {}", self.describe_known(&section))));
                };
                self.set(key, value.into(), Source::File(file.to_owned()));
            }
        }
        Ok(())
    }

    /// Adds the variables. Capital and small letters are the same, so two variables can be about one setting; that is
    /// refused, because either could win.
    fn add_variables(&mut self, variables: impl IntoIterator<Item = (String, String)>) -> Result<(), ConfigError> {
        let keys: BTreeMap<_, _> = self.known.iter().map(|key| (variable(key), *key)).collect();
        let mut seen = BTreeSet::new();
        for (name, value) in variables {
            let capitals = name.to_ascii_uppercase();
            let Some(key) = keys.get(&capitals).copied() else {
                return Err(ConfigError::at(&name, self.explain_unknown_variable(&capitals)));
            };
            if !seen.insert(key) {
                return Err(ConfigError::at(name, "is set twice, in capital and in small letters; remove one"));
            }
            self.set(key, RawValue::Text(value), Source::Variable(name));
        }
        Ok(())
    }

    /// Sets a value. An empty text counts as not set.
    fn set(&mut self, key: &'static str, value: RawValue, source: Source) {
        if !matches!(&value, RawValue::Text(text) if text.is_empty()) {
            self.values.insert(key, (value, source));
        }
    }

    /// Says which settings a section has, or which sections there are.
    fn describe_known(&self, section: &str) -> String {
        let names = |names: BTreeSet<&str>| names.into_iter().collect::<Vec<_>>().join(", ");
        let split = || self.known.iter().filter_map(|key| key.split_once('.'));
        let own: BTreeSet<_> = split().filter(|(name, _)| *name == section).map(|(_, name)| name).collect();
        if own.is_empty() {
            format!("there is no such section; the sections are {}", names(split().map(|(name, _)| name).collect()))
        } else {
            format!("there is no such setting; [{section}] has {}", names(own))
        }
    }

    /// Says why a variable in capital letters is not a setting.
    fn explain_unknown_variable(&self, name: &str) -> String {
        let rest = name.strip_prefix(PREFIX).unwrap_or(name).to_ascii_lowercase();
        let is_section = |name: &str| self.known.iter().any(|key| key.split_once('.').is_some_and(|key| key.0 == name));
        match rest.split_once("__") {
            None if is_section(&rest) => "is a section; set the variable of each of its settings".to_owned(),
            None => "there is no such setting; write two underscores between section and setting".to_owned(),
            Some((section, _)) => self.describe_known(section),
        }
    }
}

/// The variables that are settings.
#[expect(clippy::disallowed_methods, reason = "the one reader of the environment")]
fn environment() -> Result<Vec<(String, String)>, ConfigError> {
    let readable = |(name, value): (OsString, OsString)| {
        let name = name.into_string().ok().filter(|name| name.starts_with(PREFIX))?;
        Some(match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(ConfigError::at(name, "is not UTF-8")),
        })
    };
    env::vars_os().filter_map(readable).collect()
}

/// Says where a file is not TOML. It never shows what stands there: that may be a secret.
fn toml_error(file: &str, text: &str, error: &toml::de::Error) -> ConfigError {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    let column = before.chars().rev().take_while(|letter| *letter != '\n').count().saturating_add(1);
    ConfigError::at(file, format_args!("line {line}, column {column}: is not valid TOML; check quotes and brackets"))
}
