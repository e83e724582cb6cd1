//! `[log]`

use super::{settings_macro::settings, value::SettingValue};
use crate::telemetry::{LogFilter, LogFormat};

settings! {
    /// The log, on standard error.
    pub struct Log as "log" {
        /// The filter of the log: a level, or directives such as `info,vestibule=debug`. The levels are `trace`,
        /// `debug`, `info`, `warn`, `error` and `off`. Errors are logged whatever the filter says.
        filter: LogFilter = "info,sqlx::postgres::notice=warn",
        /// The format of log lines. `auto` is `text` if standard error is a terminal, and `json` otherwise.
        format: LogFormat = "auto",
        /// Whether the access log contains successful health checks. Failed ones are always logged. Requests for
        /// metrics never are.
        health_checks: bool = "false",
    }
}

impl SettingValue for LogFilter {
    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| error.to_string())
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
            _ => Err("is not a log format; write auto, text or json".to_owned()),
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
