//! `[registration]`

use super::{settings_macro::settings, value::SettingValue};
use crate::domain::name::Name;

settings! {
    /// Registration of new users.
    pub struct Registration as "registration" {
        /// Whether anyone may register. If `false`, only operators can create users.
        open: bool = "true",
        /// Usernames that only operators can assign, in addition to the built-in ones such as `admin`.
        reserved_names: Vec<Name> = "",
    }
}

impl SettingValue for Name {
    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| format!("is not a username: {error}"))
    }

    fn to_toml(&self) -> toml::Value {
        self.shown().into()
    }

    fn expected() -> String {
        "a username".to_owned()
    }
}
