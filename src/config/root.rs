//! All settings together.

use std::{collections::BTreeSet, path::Path};

use super::{
    audit::Audit,
    database::Database,
    declare::{Declaration, Section, SectionDeclaration},
    docs::Docs,
    error::ConfigError,
    keys::Keys,
    limits::Limits,
    log::Log,
    metrics::Metrics,
    passwords::Passwords,
    registration::Registration,
    server::Server,
    sessions::Sessions,
    source::{DEFAULT_FILE, RawSettings, Source},
    tls::Tls,
    tokens::Tokens,
    traces::Traces,
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
        }

        impl Config {
            /// The sections, in the order of their declaration.
            pub const SECTIONS: &'static [SectionDeclaration] = &[$(<$section>::DECLARATION),+];

            fn read(raw: &RawSettings) -> Result<Self, ConfigError> {
                Ok(Self { $($field: <$section>::read(raw)?),+ })
            }

            /// Shows every value as text, in the order of the declarations, with secrets redacted.
            pub fn show(&self) -> Vec<String> {
                [$(self.$field.show()),+].concat()
            }
        }
    };
}

sections! {
    server: Server,
    tls: Tls,
    database: Database,
    keys: Keys,
    tokens: Tokens,
    sessions: Sessions,
    limits: Limits,
    registration: Registration,
    passwords: Passwords,
    audit: Audit,
    docs: Docs,
    log: Log,
    metrics: Metrics,
    traces: Traces,
}

/// The value of a setting and where it comes from.
#[derive(Debug)]
pub struct EffectiveSetting {
    /// The setting.
    pub declaration: &'static Declaration,
    /// The value as text, with secrets redacted; empty if the setting is unset.
    pub value: String,
    /// Where the value comes from.
    pub source: Source,
}

impl Config {
    /// Reads and checks the file, if `file` names one or [`DEFAULT_FILE`] exists, and the environment, which wins.
    ///
    /// # Errors
    /// The first setting that does not exist or cannot be used.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::from_settings(&Self::load_settings(file)?)
    }

    /// Reads the same, without parsing the values.
    ///
    /// # Errors
    /// The first setting that does not exist.
    pub fn load_settings(file: Option<&Path>) -> Result<RawSettings, ConfigError> {
        RawSettings::load(keys(), file)
    }

    /// Reads and checks the text of a file and environment variables, which win.
    ///
    /// # Errors
    /// The first setting that does not exist or cannot be used.
    pub fn parse(file: &str, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        Self::from_settings(&RawSettings::parse(keys(), DEFAULT_FILE, file, variables)?)
    }

    /// Parses and checks every value.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn from_settings(raw: &RawSettings) -> Result<Self, ConfigError> {
        let config = Self::read(raw)?;
        config.validate()?;
        Ok(config)
    }

    /// Checks the rules that concern several settings.
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

    /// Returns every value and where it comes from; `raw` is what the values were parsed from.
    pub fn effective(&self, raw: &RawSettings) -> Vec<EffectiveSetting> {
        let effective = |(declaration, value): (&'static Declaration, _)| EffectiveSetting {
            declaration,
            value,
            source: raw.source(declaration.key),
        };
        Self::declarations().zip(self.show()).map(effective).collect()
    }

    /// Returns whether a setting holds a secret.
    pub fn has_secret(&self) -> bool {
        self.keys.master_key.is_some() || self.database.url.has_password()
    }
}

/// The keys of all settings.
fn keys() -> BTreeSet<&'static str> {
    Config::declarations().map(|declaration| declaration.key).collect()
}
