//! Reads the file and the environment into one flat map from keys to unparsed values.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use toml::Table;

use super::{
    declaration::{Declaration, SectionDeclaration},
    error::{ConfigError, PREFIX, label},
    service_link::is_service_link,
    value::{SettingValue, is_blank},
};
use crate::secret_file::{read_secret_text, trim_line_breaks};

/// The file that is read by default, if it exists.
pub const DEFAULT_FILE: &str = "vestibule.toml";

/// Where a setting is set.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The name of the file or variable.
    pub(super) name: String,
    /// Whether the value is in the configuration file itself.
    pub(super) is_file: bool,
}

/// The unparsed settings of the file and the environment.
pub(super) struct RawSettings {
    /// The sections that exist.
    sections: &'static [SectionDeclaration],
    /// Each value and its source, by key.
    values: BTreeMap<&'static str, (toml::Value, Source)>,
}

impl RawSettings {
    /// Reads the file, then the environment, which takes precedence. The file is `file`, or [`DEFAULT_FILE`] if it
    /// exists.
    pub(super) fn load(sections: &'static [SectionDeclaration], file: Option<&Path>) -> Result<Self, ConfigError> {
        let (name, required) = file.map_or((Path::new(DEFAULT_FILE), false), |file| (file, true));
        let text = match fs::read_to_string(name) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !required => String::new(),
            Err(error) => return Err(ConfigError::at(name.display(), format_args!("cannot be read: {error}"))),
        };
        Self::parse(sections, &name.display().to_string(), &text, environment()?)
    }

    /// Reads the text of a file, then variables, which take precedence.
    pub(super) fn parse(
        sections: &'static [SectionDeclaration],
        file: &str,
        text: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut settings = Self { sections, values: BTreeMap::new() };
        settings.add_file(file, text)?;
        settings.add_variables(variables)?;
        settings.check_secret_files()?;
        Ok(settings)
    }

    /// Parses the value of a setting, or its default if it is not set. Line breaks at the end of a secret are ignored.
    pub(super) fn value<T: SettingValue>(&self, key: &'static str, default: &str) -> Result<T, ConfigError> {
        let parsed = match self.values.get(key) {
            Some((toml::Value::String(text), _)) if T::SECRET => T::parse_text(trim_line_breaks(text)),
            Some((value, _)) => T::from_toml(value),
            None => T::parse(default),
        };
        parsed.map_err(|reason| ConfigError::at(label(key), reason))
    }

    /// Reads the files that contain secrets. Returns the path of each file, by the key of the setting that names it.
    pub(super) fn read_secret_files(&mut self) -> Result<BTreeMap<&'static str, PathBuf>, ConfigError> {
        let mut paths = BTreeMap::new();
        for (secret, file) in self.sections.iter().flat_map(SectionDeclaration::secret_files) {
            let Some(source) = self.values.get(file.key).map(|(_, source)| source.name.clone()) else { continue };
            let path: PathBuf = self.value(file.key, "")?;
            let text = read_secret_text(&path).map_err(|error| ConfigError::at(label(file.key), error))?;
            let value = toml::Value::String(text.as_str().to_owned());
            self.values.insert(secret.key, (value, Source { name: source, is_file: false }));
            paths.insert(file.key, path);
        }
        Ok(paths)
    }

    /// Returns the source of every setting that is set.
    pub(super) fn into_sources(self) -> BTreeMap<&'static str, Source> {
        self.values.into_iter().map(|(key, (_, source))| (key, source)).collect()
    }

    fn add_file(&mut self, file: &str, text: &str) -> Result<(), ConfigError> {
        let table: Table = text.parse().map_err(|error| toml_error(file, text, &error))?;
        for (section, content) in table {
            let toml::Value::Table(content) = content else {
                let reason = if self.section(&section).is_some() {
                    format!("is a section; write [{section}] on a line of its own")
                } else {
                    self.describe_known(&section)
                };
                return Err(ConfigError::at(file, format_args!("{section}: {reason}")));
            };
            for (name, value) in content {
                let key = format!("{section}.{name}");
                let Some(setting) = self.settings().find(|setting| setting.key == key) else {
                    return Err(ConfigError::at(file, format_args!("{key}: {}", self.describe_known(&section))));
                };
                self.set(setting.key, value, Source { name: file.to_owned(), is_file: true });
            }
        }
        Ok(())
    }

    /// Adds the variables. Their names are case-insensitive after the prefix, so two variables can set the same
    /// setting. That is an error, because neither takes precedence. Variables that describe a service are ignored.
    fn add_variables(&mut self, variables: impl IntoIterator<Item = (String, String)>) -> Result<(), ConfigError> {
        let mut seen = BTreeSet::new();
        for (name, value) in variables {
            let capitals = name.to_ascii_uppercase();
            let Some(setting) = self.settings().find(|setting| setting.variable() == capitals) else {
                if is_service_link(&capitals, value.trim()) {
                    continue;
                }
                return Err(ConfigError::at(&name, self.explain_unknown_variable(&capitals)));
            };
            if !seen.insert(setting.key) {
                return Err(ConfigError::at(name, "is set twice, with different capitalization; remove one"));
            }
            self.set(setting.key, toml::Value::String(value), Source { name, is_file: false });
        }
        Ok(())
    }

    /// Sets a value. A blank string counts as unset, for every setting.
    fn set(&mut self, key: &'static str, value: toml::Value, source: Source) {
        if !value.as_str().is_some_and(is_blank) {
            self.values.insert(key, (value, source));
        }
    }

    /// Checks that no secret is set both directly and by a file, because neither takes precedence.
    fn check_secret_files(&self) -> Result<(), ConfigError> {
        for (secret, file) in self.settings().filter_map(|setting| Some((setting, setting.file?))) {
            if let (Some((_, value)), Some((_, path))) = (self.values.get(secret.key), self.values.get(file.key)) {
                let reason = format!(
                    "must not be set together with {} (set in {} and in {}); remove one of them",
                    label(secret.key),
                    path.name,
                    value.name
                );
                return Err(ConfigError::at(label(file.key), reason));
            }
        }
        Ok(())
    }

    fn settings(&self) -> impl Iterator<Item = &'static Declaration> {
        self.sections.iter().flat_map(SectionDeclaration::settings)
    }

    fn section(&self, name: &str) -> Option<&'static SectionDeclaration> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// Lists the settings of a section, or all sections if it does not exist.
    fn describe_known(&self, section: &str) -> String {
        if let Some(declaration) = self.section(section) {
            let names: Vec<_> = declaration.settings().map(|setting| setting.name).collect();
            format!("there is no such setting; [{section}] has {}", names.join(", "))
        } else {
            let names: Vec<_> = self.sections.iter().map(|section| section.name).collect();
            format!("there is no such section; the sections are {}", names.join(", "))
        }
    }

    /// Explains why a variable is not a setting. `name` is in capital letters.
    fn explain_unknown_variable(&self, name: &str) -> String {
        let rest = name.strip_prefix(PREFIX).unwrap_or(name).to_ascii_lowercase();
        match rest.split_once("__") {
            None if self.section(&rest).is_some() => {
                "is a section; set the variable of each of its settings".to_owned()
            }
            None => "there is no such setting; write two underscores between section and setting".to_owned(),
            Some((section, _)) => self.describe_known(section),
        }
    }
}

/// Reads the environment variables that begin with `VESTIBULE_`.
#[expect(clippy::disallowed_methods, reason = "the one reader of the environment")]
fn environment() -> Result<Vec<(String, String)>, ConfigError> {
    let readable = |(name, value): (OsString, OsString)| {
        let name = name.into_string().ok().filter(|name| name.to_ascii_uppercase().starts_with(PREFIX))?;
        Some(match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(ConfigError::at(name, "is not valid UTF-8; set it to a UTF-8 string")),
        })
    };
    env::vars_os().filter_map(readable).collect()
}

/// Returns the error of a file that is not TOML, with the position. It never contains text of the file, which may be a
/// secret.
fn toml_error(file: &str, text: &str, error: &toml::de::Error) -> ConfigError {
    let reason = "is not valid TOML; check quotes and brackets";
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return ConfigError::at(file, reason);
    };
    let line = before.matches('\n').count().saturating_add(1);
    let column = before.chars().rev().take_while(|letter| *letter != '\n').count().saturating_add(1);
    ConfigError::at(file, format_args!("line {line}, column {column}: {reason}"))
}
