//! The client IP behind reverse proxies, from `Forwarded` (RFC 7239) and `X-Forwarded-For`.
//!
//! Clients can write these headers themselves, so only the parts that trusted proxies added count. poem's `RealIp`
//! trusts every client, so it is not used.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr as _,
};

use ipnet::IpNet;
use poem::http::{HeaderMap, HeaderName, header};

use super::log_throttle::LogThrottle;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The networks of trusted proxies.
#[derive(Debug, Default)]
pub(super) struct TrustedProxies {
    networks: Vec<IpNet>,
    ignored_headers: LogThrottle,
}

impl TrustedProxies {
    pub(super) fn new(networks: Vec<IpNet>) -> Self {
        Self { networks, ignored_headers: LogThrottle::default() }
    }

    /// Returns the client IP: the IP of the TCP peer or, behind trusted proxies, the nearest IP that is not a trusted
    /// proxy.
    ///
    /// A proxy writes one of the two headers and forwards the other as the client sent it. If the headers name
    /// different clients, neither is trusted.
    pub(super) fn client_ip(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        let has_forwarded = headers.contains_key(header::FORWARDED);
        let has_x_forwarded_for = headers.contains_key(X_FORWARDED_FOR);

        if !self.contains(peer) {
            if has_forwarded || has_x_forwarded_for {
                self.warn_about_ignored_headers(peer);
            }
            return peer;
        }

        let from_forwarded = || self.walk(peer, hops(headers, &header::FORWARDED, parse_forwarded));
        let from_x_forwarded_for = || self.walk(peer, hops(headers, &X_FORWARDED_FOR, parse_x_forwarded_for));
        match (has_forwarded, has_x_forwarded_for) {
            (true, false) => from_forwarded(),
            (false, true) => from_x_forwarded_for(),
            (true, true) => Some(from_forwarded()).filter(|client| *client == from_x_forwarded_for()).unwrap_or(peer),
            (false, false) => peer,
        }
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Walks from the peer towards the client, as long as trusted proxies name the next hop. A malformed hop ends the
    /// walk at the last valid hop.
    fn walk(&self, peer: IpAddr, nearest_first: impl Iterator<Item = Option<IpAddr>>) -> IpAddr {
        let mut client = peer;
        for hop in nearest_first {
            match hop {
                Some(hop) if self.contains(client) => client = hop,
                _ => break,
            }
        }
        client
    }

    fn warn_about_ignored_headers(&self, peer: IpAddr) {
        if let Some(requests) = self.ignored_headers.count() {
            tracing::warn!(
                network.peer.address = %peer,
                requests,
                "ignored Forwarded or X-Forwarded-For: the peer is not a trusted proxy; if it is your proxy, add its \
                 network to server.trusted_proxies (VESTIBULE_SERVER__TRUSTED_PROXIES)"
            );
        }
    }
}

/// Returns the hops of a header, nearest first. A line that is not text counts as one malformed hop.
fn hops<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    parse_line: fn(&str) -> Vec<Option<IpAddr>>,
) -> impl Iterator<Item = Option<IpAddr>> + use<'a> {
    let lines = headers.get_all(name).iter();
    let lines = lines.map(move |line| line.to_str().map_or_else(|_| vec![None], parse_line));
    lines.collect::<Vec<_>>().into_iter().rev().flat_map(|hops| hops.into_iter().rev())
}

/// Parses the hops of one line of `X-Forwarded-For`.
fn parse_x_forwarded_for(line: &str) -> Vec<Option<IpAddr>> {
    line.split(',').map(|hop| parse_address(hop.trim())).collect()
}

/// Parses the hops of one line of `Forwarded`.
fn parse_forwarded(line: &str) -> Vec<Option<IpAddr>> {
    match split_outside_quotes(line, ',') {
        Some(elements) => elements.into_iter().map(parse_element).collect(),
        // An unclosed quote from the client may hide the element that the proxy appended.
        None => vec![None],
    }
}

/// Parses one element of `Forwarded`. Returns the address of its `for` parameter, of which there must be exactly one.
fn parse_element(text: &str) -> Option<IpAddr> {
    let mut address = None;
    // The grammar allows empty pairs.
    for pair in split_outside_quotes(text, ';')?.into_iter().filter(|pair| !pair.trim().is_empty()) {
        let (name, value) = pair.trim().split_once('=')?;
        let value = remove_quotes(value)?;
        if name.eq_ignore_ascii_case("for") && address.replace(parse_address(value)?).is_some() {
            return None;
        }
    }
    address
}

/// Splits a text at each separator outside quotes. Returns `None` if a quote is not closed.
fn split_outside_quotes(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut is_quoted, mut is_escaped) = (false, false);

    let is_separator = |letter| {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ => return letter == separator && !is_quoted,
        }
        false
    };
    let parts = text.split(is_separator).collect();

    (!is_quoted).then_some(parts)
}

/// Returns a token, or the content of a quoted string. Addresses need no escapes, so a text with one is malformed.
fn remove_quotes(value: &str) -> Option<&str> {
    let content = match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => value,
    };
    (!content.contains(['"', '\\'])).then_some(content)
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
