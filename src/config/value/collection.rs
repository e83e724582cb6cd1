//! Settings that may be unset, and lists.

use super::value_type::{Notation, Value};

/// A setting that may be unset.
impl<T: Value> Value for Option<T> {
    const NOTATION: Notation = T::NOTATION;

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { T::parse(text).map(Some) }
    }

    fn show(&self) -> String {
        self.as_ref().map(T::show).unwrap_or_default()
    }

    fn describe() -> String {
        T::describe()
    }
}

/// A list: an array in TOML, with commas between its entries in a variable.
impl<T: Value> Value for Vec<T> {
    const NOTATION: Notation = Notation::List;

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse_list(text.split(',').map(str::trim).filter(|item| !item.is_empty()))
    }

    fn parse_list<'a>(items: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        items.map(T::parse).collect()
    }

    fn show(&self) -> String {
        self.iter().map(T::show).collect::<Vec<_>>().join(", ")
    }

    fn describe() -> String {
        format!("a list, each entry {}", T::describe())
    }
}
