//! What one value must be like, whichever setting it is of.

use std::path::Path;

use ipnet::IpNet;
use url::Url;

use super::ConfigError;

/// Networks are compared with addresses in their shortest form, so an IPv4-mapped one would never match.
pub(super) fn check_network(network: &IpNet) -> Result<(), ConfigError> {
    let refused = |reason| Err(ConfigError::new("server.trusted_proxies", format!("{network}: {reason}")));
    match network {
        _ if network.prefix_len() == 0 => refused("trusts everybody"),
        IpNet::V6(network) if network.addr().to_ipv4_mapped().is_some() => refused("must be written as IPv4"),
        _ => Ok(()),
    }
}

/// Browsers write an origin in one way, and it is compared byte by byte.
pub(super) fn check_origin(text: &str) -> Result<(), ConfigError> {
    let refused = |reason: String| Err(ConfigError::new("server.cors_origins", format!("{text:?} {reason}")));
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && !text.contains('*') => {
            let usual = url.origin().ascii_serialization();
            if usual == text { Ok(()) } else { refused(format!("must be written as {usual}")) }
        }
        _ => refused("is no origin such as https://app.example".to_owned()),
    }
}

/// Whether the driver reads the path as it stands.
pub(super) fn is_plain(path: &Path) -> bool {
    let text = path.to_string_lossy();
    !text.is_empty() && !text.contains(['?', '%', ':'])
}

pub(super) fn within(key: &str, value: u64, least: u64, most: u64) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let reason = if most == u64::MAX {
        format!("{value} is too little; the least is {least}")
    } else {
        format!("{value} is out of range; it must be {least} to {most}")
    };
    Err(ConfigError::new(key, reason))
}

pub(super) fn present(key: &str, value: &str) -> Result<(), ConfigError> {
    if value.trim().is_empty() { Err(ConfigError::new(key, "must not be empty")) } else { Ok(()) }
}
