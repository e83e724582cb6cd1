//! The types of settings: each parses, writes and describes itself.

use std::{net::SocketAddr, path::PathBuf};

use secrecy::SecretString;

/// The text that replaces a secret.
pub(super) const REDACTED: &str = "***";

/// The type of a setting. Its errors say what is wrong and what to write instead.
pub(super) trait SettingValue: Sized {
    /// Whether the value is quoted in TOML.
    const QUOTED: bool = true;

    /// Parses the text of a variable, a default or a quoted TOML value.
    fn parse(text: &str) -> Result<Self, String>;

    /// Parses a value from the file.
    fn from_toml(value: &toml::Value) -> Result<Self, String> {
        match value {
            toml::Value::String(text) => Self::parse(text),
            toml::Value::Integer(_) | toml::Value::Boolean(_) if Self::QUOTED => {
                Err(format!("must be a quoted string; write {}", Self::expected()))
            }
            toml::Value::Integer(_) | toml::Value::Boolean(_) => Self::parse(&value.to_string()),
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
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { T::parse(text).map(Some) }
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

/// A list: an array in TOML, with commas between its entries in a variable.
impl<T: SettingValue> SettingValue for Vec<T> {
    fn parse(text: &str) -> Result<Self, String> {
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(T::parse).collect()
    }

    fn from_toml(value: &toml::Value) -> Result<Self, String> {
        match value {
            toml::Value::Array(items) => items.iter().map(T::from_toml).collect(),
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
            return Err(format!("{text:?} is not a whole number; write {}", Self::expected()));
        }
        let bounded = text.parse().ok().filter(|number: &u64| (MIN..=MAX).contains(number));
        let number = bounded.and_then(|number| T::try_from(number).ok());
        number.map(Self).ok_or_else(|| format!("{text} is out of range; write {}", Self::expected()))
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
        text.parse().map_err(|_| format!("{text:?} is not valid; write {}", Self::expected()))
    }

    fn to_toml(&self) -> toml::Value {
        (*self).into()
    }

    fn expected() -> String {
        "`true` or `false`".to_owned()
    }
}

impl SettingValue for String {
    fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            Err("must not be blank; write a string, or remove the setting".to_owned())
        } else {
            Ok(text.to_owned())
        }
    }

    fn to_toml(&self) -> toml::Value {
        self.as_str().into()
    }

    fn expected() -> String {
        "a string".to_owned()
    }
}

impl SettingValue for SecretString {
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
        text.parse().map_err(|_| format!("{text:?} is not an IP address with a port; write one such as 127.0.0.1:5000"))
    }

    fn to_toml(&self) -> toml::Value {
        self.to_string().into()
    }

    fn expected() -> String {
        "an IP address with a port".to_owned()
    }
}
