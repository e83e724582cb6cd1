//! The client IP behind reverse proxies, from the one header that the proxies write: `X-Forwarded-For`, `Forwarded` (RFC
//! 7239) or another one that the operator names.
//!
//! Clients can write such headers themselves. A proxy overwrites or extends the header that it knows, and forwards the
//! others as the client sent them. So only the named header counts, and in it only what trusted proxies added. poem's
//! `RealIp` trusts every client, so it is not used.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr as _,
};

use ipnet::IpNet;
use poem::http::{HeaderMap, header};

use super::log_throttle::LogThrottle;
use crate::header_value::{split_outside_quotes, unquote};

/// The usual headers for the client IP. They only help to recognize a wrong setting.
const USUAL_HEADERS: [&str; 3] = ["forwarded", "x-forwarded-for", "x-real-ip"];

/// The networks of trusted proxies, and the header in which they name the client.
#[derive(Debug)]
pub(super) struct TrustedProxies {
    networks: Vec<IpNet>,
    /// The name of the header, in lower case.
    header: String,
    ignored_headers: LogThrottle,
    unknown_clients: LogThrottle,
}

impl TrustedProxies {
    pub(super) fn new(networks: Vec<IpNet>, header: String) -> Self {
        Self { networks, header, ignored_headers: LogThrottle::default(), unknown_clients: LogThrottle::default() }
    }

    /// Returns the client IP: the IP of the TCP peer or, behind trusted proxies, the nearest IP that is not a trusted
    /// proxy.
    pub(super) fn client_ip(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if self.contains(peer) {
            return self.walk(peer, headers);
        }
        if headers.contains_key(&self.header) {
            self.warn_about_ignored_header(peer);
        }
        peer
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Walks from the peer towards the client, as long as trusted proxies name the next hop. A malformed hop ends the
    /// walk at the last valid hop.
    fn walk(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer;
        for hop in self.hops(headers) {
            let Some(hop) = hop else {
                self.warn_about_unknown_client(client, "it is malformed, or does not contain an IP address");
                return client;
            };
            client = hop;
            if !self.contains(client) {
                return client;
            }
        }
        if !headers.contains_key(&self.header) && USUAL_HEADERS.iter().any(|name| headers.contains_key(*name)) {
            self.warn_about_unknown_client(
                client,
                "it is missing, but the request has another header for the client IP",
            );
        }
        client
    }

    /// Returns the hops of the header, nearest first. `None` stands for a malformed hop.
    fn hops(&self, headers: &HeaderMap) -> Vec<Option<IpAddr>> {
        let parse_line = if self.header == header::FORWARDED.as_str() { parse_forwarded } else { parse_list };
        let lines = headers.get_all(&self.header).iter().rev();
        // A client may send bytes that are not text, and its proxy may append to the same line.
        lines.flat_map(|line| parse_line(&String::from_utf8_lossy(line.as_bytes()))).collect()
    }

    fn warn_about_ignored_header(&self, peer: IpAddr) {
        if let Some(requests) = self.ignored_headers.count() {
            tracing::warn!(
                network.peer.address = %peer,
                header = self.header,
                requests,
                "ignored the header for the client IP: the peer is not a trusted proxy; if it is your proxy, add its \
                 network to server.trusted_proxies (VESTIBULE_SERVER__TRUSTED_PROXIES)"
            );
        }
    }

    /// Logs that a trusted proxy is taken for the client, because it did not name the client.
    fn warn_about_unknown_client(&self, proxy: IpAddr, reason: &str) {
        if let Some(requests) = self.unknown_clients.count() {
            tracing::warn!(
                client.address = %proxy,
                header = self.header,
                requests,
                "cannot read the client IP from the header of a trusted proxy: {reason}; clients of this proxy share \
                 its rate limits. Set server.client_ip_header (VESTIBULE_SERVER__CLIENT_IP_HEADER) to the header that \
                 the proxy writes"
            );
        }
    }
}

/// Parses the hops of one line of `X-Forwarded-For`, or of another header with plain addresses, nearest first.
fn parse_list(line: &str) -> Vec<Option<IpAddr>> {
    line.rsplit(',').map(|hop| parse_address(hop.trim())).collect()
}

/// Parses the hops of one line of `Forwarded`, nearest first. Quotes are matched from the right as well: an unclosed
/// quote from the client would otherwise hide the elements that proxies appended.
fn parse_forwarded(line: &str) -> Vec<Option<IpAddr>> {
    let mut is_quoted = false;
    let is_separator = |letter| {
        if letter == '"' {
            is_quoted = !is_quoted;
        }
        letter == ',' && !is_quoted
    };
    line.rsplit(is_separator).map(parse_element).collect()
}

/// Parses one element of `Forwarded`. Returns the address of its `for` parameter, of which there must be exactly one.
fn parse_element(text: &str) -> Option<IpAddr> {
    let mut address = None;
    // The grammar allows empty pairs.
    for pair in split_outside_quotes(text, ';')?.into_iter().filter(|pair| !pair.trim().is_empty()) {
        let (name, value) = pair.trim().split_once('=')?;
        let value = unquote(value)?;
        if name.eq_ignore_ascii_case("for") && address.replace(parse_address(value)?).is_some() {
            return None;
        }
    }
    address
}

/// Parses an address with or without a port, IPv6 with or without brackets. An IPv4-mapped address becomes IPv4.
/// `unknown` and obfuscated names (RFC 7239 section 6) are not addresses.
fn parse_address(text: &str) -> Option<IpAddr> {
    let bare = || IpAddr::from_str(text).ok();
    let bracketed = || {
        let inner = text.strip_prefix('[')?.strip_suffix(']')?;
        Ipv6Addr::from_str(inner).ok().map(IpAddr::from)
    };
    // `SocketAddr` would accept a zone id.
    let with_port = || SocketAddr::from_str(text).ok().filter(|_| !text.contains('%')).map(|address| address.ip());

    bare().or_else(bracketed).or_else(with_port).map(|address| address.to_canonical())
}
