//! `[registration]`

use super::{settings_macro::settings, value::SettingValue};
use crate::domain::name::Name;

settings! {
    /// Registration of new users.
    pub struct Registration as "registration" {
        /// Whether anyone may register. If `false`, only an operator adds users.
        open: bool = "true",
        /// User names that only an operator may give, in addition to the built-in ones such as `admin`.
        reserved_names: Vec<Name> = "",
    }
}

impl SettingValue for Name {
    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| format!("{text:?}: {error}"))
    }

    fn to_toml(&self) -> toml::Value {
        self.shown().into()
    }

    fn expected() -> String {
        "a user name".to_owned()
    }
}
