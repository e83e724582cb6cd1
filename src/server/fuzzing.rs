//! Access to `forwarded` for fuzz targets. Compiled only with `--cfg fuzzing`.

use std::net::IpAddr;

use ipnet::IpNet;
use poem::http::HeaderMap;

use super::forwarded::TrustedProxies;

/// Finds the client IP of requests.
#[derive(Debug)]
pub struct ClientIpResolver(TrustedProxies);

impl ClientIpResolver {
    /// Creates a resolver that trusts proxies in these networks, which name the client in this header.
    pub fn new(trusted_proxies: Vec<IpNet>, header: String) -> Self {
        Self(TrustedProxies::new(trusted_proxies, header))
    }

    /// Returns the client IP of a request from `peer` with these headers.
    pub fn client_ip(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        self.0.client_ip(peer, headers)
    }
}
