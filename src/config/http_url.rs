//! URLs of HTTP servers.

use url::Url;

use super::value::SettingValue;

/// An `http` or `https` URL in canonical form, without user, password, query and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl(Url);

impl HttpUrl {
    /// Returns the URL without a trailing slash.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// Returns whether the scheme is `https`.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Returns the path without a trailing slash. Empty if the URL has no path other than `/`.
    pub fn path(&self) -> &str {
        self.0.path().trim_end_matches('/')
    }

    /// Returns the port, or the default port of the scheme.
    pub fn port(&self) -> Option<u16> {
        self.0.port_or_known_default()
    }
}

impl SettingValue for HttpUrl {
    fn parse(text: &str) -> Result<Self, String> {
        let invalid = || "must be an http or https URL without user, query, fragment or empty path segments".to_owned();
        let url = Url::parse(text).map_err(|_| invalid())?;
        let anonymous = url.username().is_empty() && url.password().is_none();
        let bare = url.query().is_none() && url.fragment().is_none() && !url.path().contains("//");
        if !(matches!(url.scheme(), "http" | "https") && url.has_host() && anonymous && bare) {
            return Err(invalid());
        }
        let url = Self(url);
        if url.as_str() == text.trim_end_matches('/') {
            Ok(url)
        } else {
            Err(format!("must be written as {}", url.as_str()))
        }
    }

    fn to_toml(&self) -> toml::Value {
        self.as_str().into()
    }

    fn expected() -> String {
        "an `http` or `https` URL".to_owned()
    }
}
