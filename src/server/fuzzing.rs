//! What fuzz targets may do with forwarding headers; only there when the service is built for them (`--cfg fuzzing`).

use std::net::IpAddr;

use ipnet::IpNet;
use poem::http::HeaderMap;

use super::forwarded::Proxies;

/// Finds out from which address requests come.
#[derive(Debug)]
pub struct Finder(Proxies);

impl Finder {
    /// One that believes these proxies.
    #[must_use]
    pub fn new(trusted: Vec<IpNet>) -> Self {
        Self(Proxies::new(trusted))
    }

    /// The address of the client whose request came from `peer` with these headers.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        self.0.client(peer, headers)
    }
}
