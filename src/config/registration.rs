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
        reserved_names: Vec<Name> = "",
    }
}

impl Value for Name {
    const NOTATION: Notation = Notation::Quoted;

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| format!("{text:?}: {error}"))
    }

    fn show(&self) -> String {
        self.shown().to_owned()
    }

    fn describe() -> String {
        "a user name".to_owned()
    }
}
