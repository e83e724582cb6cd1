//! The types of settings: each parses, writes and describes itself.

use std::{net::SocketAddr, path::PathBuf};

use secrecy::SecretString;

use super::shown::describe;

/// The text that replaces a secret.
pub(super) const REDACTED: &str = "***";

/// The type of a setting. Its errors say what is wrong and what to write instead.
pub(super) trait SettingValue: Sized {
    /// Whether the value is quoted in TOML.
    const QUOTED: bool = true;
    /// Whether the values are secrets. A secret setting can also be read from a file.
    const SECRET: bool = false;

    /// Parses the text of a variable, a default or a quoted TOML value. The error continues a sentence that begins with
    /// the value.
    fn parse(text: &str) -> Result<Self, String>;

    /// Returns whether an error must not show this text.
    fn is_secret(_text: &str) -> bool {
        Self::SECRET
    }

    /// Parses a text. The error is a sentence that begins with the value, unless the value is a secret.
    fn parse_text(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|reason| describe(text, Self::is_secret(text), &reason))
    }

    /// Parses a value from the file. The error is a sentence, as for [`Self::parse_text`].
    fn from_toml(value: &toml::Value) -> Result<Self, String> {
        match value {
            toml::Value::String(text) => Self::parse_text(text),
            toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) if Self::QUOTED => {
                let reason = format!("must be a quoted string; write {}", Self::expected());
                Err(describe(&value.to_string(), Self::SECRET, &reason))
            }
            toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) => {
                Self::parse_text(&value.to_string())
            }
            _ => Err(wrong_type::<Self>(value)),
        }
    }

    /// Returns the value as it would be written in a file, with secrets redacted. Returns an empty string if the
    /// setting is unset.
    fn to_toml(&self) -> toml::Value;

    /// Describes the type and its bounds, such as "a duration from 1s to 5m".
    fn expected() -> String;
}

fn wrong_type<T: SettingValue>(value: &toml::Value) -> String {
    format!("is a TOML {}; write {}", value.type_str(), T::expected())
}

/// A setting that may be unset.
impl<T: SettingValue> SettingValue for Option<T> {
    const SECRET: bool = T::SECRET;

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { T::parse(text).map(Some) }
    }

    fn is_secret(text: &str) -> bool {
        T::is_secret(text)
    }

    fn from_toml(value: &toml::Value) -> Result<Self, String> {
        T::from_toml(value).map(Some)
    }

    fn to_toml(&self) -> toml::Value {
        self.as_ref().map_or_else(|| "".into(), T::to_toml)
    }

    fn expected() -> String {
        T::expected()
    }
}

/// Returns whether a text counts as unset.
pub(super) fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// A list: an array in TOML, with commas between its entries in a variable. Blank entries are ignored. Errors begin with
/// the invalid entry, not with the list.
impl<T: SettingValue> SettingValue for Vec<T> {
    fn parse(text: &str) -> Result<Self, String> {
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(T::parse_text).collect()
    }

    fn parse_text(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }

    fn from_toml(value: &toml::Value) -> Result<Self, String> {
        match value {
            toml::Value::Array(items) => {
                let is_set = |item: &&toml::Value| !item.as_str().is_some_and(is_blank);
                items.iter().filter(is_set).map(T::from_toml).collect()
            }
            toml::Value::String(text) => Self::parse(text),
            _ => Err(wrong_type::<Self>(value)),
        }
    }

    fn to_toml(&self) -> toml::Value {
        toml::Value::Array(self.iter().map(T::to_toml).collect())
    }

    fn expected() -> String {
        format!("a list, each entry {}", T::expected())
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count<T, const MIN: u64, const MAX: u64>(T);

impl<T: Copy, const MIN: u64, const MAX: u64> Count<T, MIN, MAX> {
    /// Returns the number.
    pub const fn get(self) -> T {
        self.0
    }
}

impl<T: Copy + TryFrom<u64> + TryInto<i64>, const MIN: u64, const MAX: u64> SettingValue for Count<T, MIN, MAX> {
    const QUOTED: bool = false;

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || !text.bytes().all(|letter| letter.is_ascii_digit()) {
            return Err(format!("is not a whole number; write {}", Self::expected()));
        }
        let bounded = text.parse().ok().filter(|number: &u64| (MIN..=MAX).contains(number));
        let number = bounded.and_then(|number| T::try_from(number).ok());
        number.map(Self).ok_or_else(|| format!("is out of range; write {}", Self::expected()))
    }

    fn to_toml(&self) -> toml::Value {
        toml::Value::Integer(self.0.try_into().unwrap_or(i64::MAX))
    }

    fn expected() -> String {
        format!("a whole number from {MIN} to {MAX}")
    }
}

impl SettingValue for bool {
    const QUOTED: bool = false;

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("is not valid; write {}", Self::expected()))
    }

    fn to_toml(&self) -> toml::Value {
        (*self).into()
    }

    fn expected() -> String {
        "`true` or `false`".to_owned()
    }
}

/// Rejects white space and quotation marks around a text, which are always a mistake.
fn reject_surroundings(text: &str) -> Result<(), String> {
    let is_quoted = |mark: char| text.len() > 1 && text.starts_with(mark) && text.ends_with(mark);
    if text.trim() != text || text.starts_with('\u{feff}') {
        Err("must not begin or end with white space; remove it".to_owned())
    } else if is_quoted('"') || is_quoted('\'') {
        Err("must not be in quotation marks; remove them".to_owned())
    } else {
        Ok(())
    }
}

impl SettingValue for String {
    fn parse(text: &str) -> Result<Self, String> {
        reject_surroundings(text)?;
        Ok(text.to_owned())
    }

    fn to_toml(&self) -> toml::Value {
        self.as_str().into()
    }

    fn expected() -> String {
        "a string".to_owned()
    }
}

impl SettingValue for SecretString {
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.into())
    }

    fn to_toml(&self) -> toml::Value {
        REDACTED.into()
    }

    fn expected() -> String {
        "a secret".to_owned()
    }
}

impl SettingValue for PathBuf {
    fn parse(text: &str) -> Result<Self, String> {
        reject_surroundings(text)?;
        Ok(text.into())
    }

    fn to_toml(&self) -> toml::Value {
        self.display().to_string().into()
    }

    fn expected() -> String {
        "the path of a file".to_owned()
    }
}

impl SettingValue for SocketAddr {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "is not an IP address with a port; write one such as 127.0.0.1:5000".to_owned())
    }

    fn to_toml(&self) -> toml::Value {
        self.to_string().into()
    }

    fn expected() -> String {
        "an IP address with a port".to_owned()
    }
}
