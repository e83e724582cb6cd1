//! `[registration]`

use super::{
    declare::settings,
    value::{Notation, Value},
};
use crate::domain::name::Name;

settings! {
    /// Registration of new users.
    pub struct Registration as "registration" {
        /// Whether anyone may register. If `false`, only an operator adds users.
        open: bool = "true",
        /// User names that only an operator may give, in addition to the built-in ones such as `admin`.
        reserved_names: Vec<ReservedName> = "",
    }
}

/// A user name that cannot be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservedName(String);

impl ReservedName {
    /// Returns the name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for ReservedName {
    const NOTATION: Notation = Notation::Quoted;

    fn parse(text: &str) -> Result<Self, String> {
        match Name::parse(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(format!("{text:?}: {error}")),
        }
    }

    fn show(&self) -> String {
        self.0.clone()
    }

    fn describe() -> String {
        "a user name".to_owned()
    }
}
