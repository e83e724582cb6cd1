//! The client of a request.

use std::net::IpAddr;

use crate::ids::RequestId;

/// The maximum length of a stored user agent, in characters.
const MAX_USER_AGENT: usize = 256;

/// The client of a request.
#[derive(Clone, Debug)]
pub struct Client {
    /// The client IP. Behind a trusted proxy, it is the IP that the proxy forwarded.
    pub ip: IpAddr,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// The identifier of the request.
    pub request_id: RequestId,
}

impl Client {
    /// Returns the IP address as text. An IPv4-mapped IPv6 address becomes IPv4.
    pub fn ip_text(&self) -> String {
        self.ip.to_canonical().to_string()
    }

    /// Returns the first 256 characters of the user agent.
    pub fn short_user_agent(&self) -> Option<String> {
        self.user_agent.as_ref().map(|agent| agent.chars().take(MAX_USER_AGENT).collect())
    }

    /// Returns the network that one subscriber controls: an IPv4 address, or the first 64 bits of an IPv6 address.
    pub fn network(&self) -> String {
        match self.ip.to_canonical() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        }
    }
}
