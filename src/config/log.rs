//! `[log]`

use tracing_subscriber::EnvFilter;

use super::{settings_macro::settings, value::SettingValue};
use crate::telemetry::LogFormat;

settings! {
    /// The log, on standard error.
    pub struct Log as "log" {
        /// The filter of the log: a level, or directives such as `info,vestibule=debug`.
        filter: LogFilter = "info,sqlx::postgres::notice=warn",
        /// The format of log lines. `auto` is `text` if standard error is a terminal, and `json` otherwise.
        format: LogFormat = "auto",
    }
}

/// The directives of a log filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(String);

impl LogFilter {
    /// Returns the directives as they were written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SettingValue for LogFilter {
    fn parse(text: &str) -> Result<Self, String> {
        match EnvFilter::try_new(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(format!("{error}; write a level, or directives such as info,vestibule=debug")),
        }
    }

    fn to_toml(&self) -> toml::Value {
        self.as_str().into()
    }

    fn expected() -> String {
        "a log level or directives".to_owned()
    }
}

impl SettingValue for LogFormat {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("{text:?} is not a log format; write auto, text or json")),
        }
    }

    fn to_toml(&self) -> toml::Value {
        match self {
            Self::Auto => "auto",
            Self::Text => "text",
            Self::Json => "json",
        }
        .into()
    }

    fn expected() -> String {
        "`auto`, `text` or `json`".to_owned()
    }
}
