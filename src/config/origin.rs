//! The origins of web pages and apps.

use url::{Host, Url};

use super::value::SettingValue;

/// An origin, in the spelling that browsers send, because origins are compared byte by byte. The first label of its host
/// may be `*`, which stands for exactly one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// Returns the origin as browsers send it, or with `*` as its first label.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SettingValue for Origin {
    fn parse(text: &str) -> Result<Self, String> {
        let canonical = match text.split_once("://*.") {
            Some((scheme @ ("http" | "https"), parent)) => {
                check_wildcard(parent)?;
                canonical_origin(&format!("{scheme}://{parent}")).map(|origin| origin.replacen("://", "://*.", 1))
            }
            _ => canonical_origin(text),
        };
        match canonical {
            Some(canonical) if canonical == text => Ok(Self(canonical)),
            Some(canonical) => Err(format!("must be written as {canonical}")),
            None => Err("is not an origin; write one such as https://app.example, https://*.preview.example.com or \
                         capacitor://localhost"
                .to_owned()),
        }
    }

    fn to_toml(&self) -> toml::Value {
        self.as_str().into()
    }

    fn expected() -> String {
        "an origin".to_owned()
    }
}

/// Returns the spelling of an origin that browsers send: scheme, host, and the port unless it is the default one.
fn canonical_origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|url| url.has_host() && !text.contains('*'))?;
    match url.scheme() {
        "http" | "https" => Some(url.origin().ascii_serialization()),
        // The other schemes with special rules in the URL standard. Pages have no such origin.
        "file" | "ftp" | "ws" | "wss" => None,
        // Apps and browser extensions have schemes of their own, for which the library knows no origin.
        scheme => {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            Some(format!("{scheme}://{}{port}", url.host_str()?))
        }
    }
}

/// Checks that the names below the parent domain of a wildcard belong to one owner.
fn check_wildcard(parent: &str) -> Result<(), String> {
    let url = Url::parse(&format!("https://{parent}")).ok();
    let is_owned = match url.as_ref().and_then(Url::host) {
        Some(Host::Domain(domain)) => psl::domain_str(domain).is_some(),
        _ => false,
    };
    if is_owned {
        return Ok(());
    }
    Err("allows pages of other owners, because anyone can register a name below this domain; write a wildcard below \
         a domain of your own, such as https://*.preview.example.com"
        .to_owned())
}
