//! Names of HTTP headers.

use super::value::SettingValue;

/// The name of an HTTP header (RFC 9110 section 5.1), in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderName(String);

impl HeaderName {
    /// Returns the name in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SettingValue for HeaderName {
    fn parse(text: &str) -> Result<Self, String> {
        let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if text.is_empty() || !text.bytes().all(is_name_byte) {
            return Err("is not the name of a header; write letters, digits, \"-\" and \"_\"".to_owned());
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    fn to_toml(&self) -> toml::Value {
        self.as_str().into()
    }

    fn expected() -> String {
        "the name of a header".to_owned()
    }
}
