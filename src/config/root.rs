//! All settings together.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    audit, database,
    declaration::{Declaration, SectionDeclaration},
    docs,
    error::ConfigError,
    keys, limits, log, metrics, passwords, registration, server, sessions,
    source::{DEFAULT_FILE, RawSettings, Source},
    tls, tokens, traces,
    value::SettingValue as _,
};

/// Declares the sections in their order.
macro_rules! sections {
    ($($field:ident: $section:ty,)+) => {
        /// All settings, one section each.
        #[derive(Clone, Debug)]
        pub struct Config {
            $(
                #[doc = concat!("`[", stringify!($field), "]`")]
                pub $field: $section,
            )+
            /// Where each setting is set, by key.
            sources: BTreeMap<&'static str, Source>,
            /// The files that contain secrets, by the key of the setting that names them.
            secret_files: BTreeMap<&'static str, PathBuf>,
        }

        impl Config {
            pub(super) const SECTIONS: &'static [SectionDeclaration] = &[$(<$section>::DECLARATION),+];

            fn read(mut raw: RawSettings) -> Result<Self, ConfigError> {
                let secret_files = raw.read_secret_files()?;
                Ok(Self { $($field: <$section>::read(&raw)?,)+ sources: raw.into_sources(), secret_files })
            }

            /// Returns the value of every field, in the order of the declarations, with secrets redacted.
            fn values(&self) -> Vec<toml::Value> {
                [$(self.$field.values()),+].concat()
            }
        }
    };
}

sections! {
    server: server::Server,
    tls: tls::Tls,
    database: database::Database,
    keys: keys::Keys,
    tokens: tokens::Tokens,
    sessions: sessions::Sessions,
    limits: limits::Limits,
    registration: registration::Registration,
    passwords: passwords::Passwords,
    audit: audit::Audit,
    docs: docs::Docs,
    log: log::Log,
    metrics: metrics::Metrics,
    traces: traces::Traces,
}

/// The value of a setting and its source.
#[derive(Debug)]
pub struct EffectiveSetting {
    /// The section and the name, such as `server.listen`.
    pub key: &'static str,
    /// The value, with secrets redacted. An empty string if the setting is unset.
    pub value: toml::Value,
    /// The name of the file or variable that sets the value. `None` for the default.
    pub source: Option<String>,
}

impl Config {
    /// Reads and validates the file and the environment, which takes precedence. The file is `file`, or
    /// [`DEFAULT_FILE`] if it exists.
    ///
    /// # Errors
    /// Returns a [`ConfigError`] for the first invalid file, variable or setting.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::from_settings(RawSettings::load(Self::SECTIONS, file)?)
    }

    /// Reads and validates the text of a file and environment variables, which take precedence.
    ///
    /// # Errors
    /// Returns a [`ConfigError`] for the first invalid file, variable or setting.
    pub fn parse(file: &str, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        Self::from_settings(RawSettings::parse(Self::SECTIONS, DEFAULT_FILE, file, variables)?)
    }

    fn from_settings(raw: RawSettings) -> Result<Self, ConfigError> {
        let mut config = Self::read(raw)?;
        let resolved = config.database.resolve(config.sources.contains_key("database.url"));
        resolved.and_then(|()| config.validate()).map_err(|error| error.with_value(|key| config.shown_value(key)))?;
        Ok(config)
    }

    /// Validates the rules that the types of the settings do not express.
    fn validate(&self) -> Result<(), ConfigError> {
        self.server.validate()?;
        self.tls.validate(&self.server)?;
        self.sessions.validate()?;
        self.limits.validate()?;
        self.passwords.validate(&self.server)?;
        self.metrics.validate(&self.server)?;
        self.traces.validate()
    }

    /// Returns every setting, in the order of the declarations.
    pub fn declarations() -> impl Iterator<Item = &'static Declaration> {
        Self::SECTIONS.iter().flat_map(SectionDeclaration::settings)
    }

    /// Returns the value and the source of every setting, in the order of the declarations.
    pub fn effective(&self) -> Vec<EffectiveSetting> {
        let fields = Self::SECTIONS.iter().flat_map(|section| section.fields).map(|field| field.key);
        let mut values: BTreeMap<_, _> = fields.zip(self.values()).collect();
        values.extend(self.secret_files.iter().map(|(key, path)| (*key, path.to_toml())));
        let effective = |declaration: &Declaration| EffectiveSetting {
            key: declaration.key,
            value: values.get(declaration.key).cloned().unwrap_or_else(|| "".into()),
            source: self.sources.get(declaration.key).map(|source| source.name.clone()),
        };
        Self::declarations().map(effective).collect()
    }

    /// Returns the value of a setting for an error message, unless it is secret or unset.
    fn shown_value(&self, key: &str) -> Option<String> {
        let is_secret = Self::declarations().any(|declaration| declaration.key == key && declaration.secret);
        let setting = self.effective().into_iter().find(|setting| setting.key == key && !is_secret)?;
        match setting.value {
            toml::Value::String(text) => Some(text),
            toml::Value::Array(items) => {
                let text = |item| if let toml::Value::String(text) = item { text } else { item.to_string() };
                Some(items.into_iter().map(text).collect::<Vec<_>>().join(","))
            }
            value => Some(value.to_string()),
        }
        .filter(|text| !text.is_empty())
    }

    /// Returns whether the configuration file itself contains a secret.
    pub fn has_secret_in_file(&self) -> bool {
        Self::declarations().filter(|declaration| declaration.secret).any(|declaration| {
            let is_in_file = self.sources.get(declaration.key).is_some_and(|source| source.is_file);
            // If the password is a setting of its own, it is in the resolved URL, but not in the configured one.
            let has_password = self.database.password.is_none() && self.database.url.has_password();
            is_in_file && (declaration.key != "database.url" || has_password)
        })
    }
}
