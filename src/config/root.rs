//! All settings together.

use std::{collections::BTreeMap, path::Path};

use super::{
    audit, database,
    declaration::{Declaration, SectionDeclaration},
    docs,
    error::ConfigError,
    keys, limits, log, metrics, passwords, registration, server, sessions,
    source::{DEFAULT_FILE, RawSettings},
    tls, tokens, traces,
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
            /// The name of the file or variable that sets a setting, by key.
            sources: BTreeMap<&'static str, String>,
        }

        impl Config {
            pub(super) const SECTIONS: &'static [SectionDeclaration] = &[$(<$section>::DECLARATION),+];

            fn read(raw: RawSettings) -> Result<Self, ConfigError> {
                Ok(Self { $($field: <$section>::read(&raw)?,)+ sources: raw.into_sources() })
            }

            /// Returns every value, in the order of the declarations, with secrets redacted.
            pub(super) fn values(&self) -> Vec<toml::Value> {
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
        let config = Self::read(raw)?;
        config.validate()?;
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
        Self::SECTIONS.iter().flat_map(|section| section.settings)
    }

    /// Returns the value and the source of every setting, in the order of the declarations.
    pub fn effective(&self) -> Vec<EffectiveSetting> {
        let keys = Self::declarations().map(|declaration| declaration.key);
        let effective = |(key, value)| EffectiveSetting { key, value, source: self.sources.get(key).cloned() };
        keys.zip(self.values()).map(effective).collect()
    }

    /// Returns whether a setting holds a secret.
    pub fn has_secret(&self) -> bool {
        self.keys.master_key.is_some() || self.database.url.has_password()
    }
}
