//! Where a request came from when proxies stand before the service: `Forwarded` (RFC 7239) and `X-Forwarded-For`,
//! believed only as far as trusted proxies wrote them. poem's `RealIp` believes anybody, and is not used.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr as _,
};

use ipnet::IpNet;
use poem::http::{HeaderMap, HeaderName, header};

use super::seldom::Seldom;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies that are believed.
#[derive(Debug, Default)]
pub(super) struct Proxies {
    networks: Vec<IpNet>,
    ignored: Seldom,
}

impl Proxies {
    pub(super) fn new(networks: Vec<IpNet>) -> Self {
        Self { networks, ignored: Seldom::default() }
    }

    /// The address of the client: the peer's own, or behind trusted proxies the nearest one that is none of them.
    ///
    /// A proxy writes one of the two headers and lets clients choose the other, so when both are there and name
    /// different clients, neither is believed.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        let has = |name: &HeaderName| headers.contains_key(name);
        if !self.trusts(peer) {
            if has(&header::FORWARDED) || has(&X_FORWARDED_FOR) {
                self.warn(peer);
            }
            return peer;
        }
        let forwarded = || self.walk(peer, hops(headers, &header::FORWARDED, elements));
        let x_forwarded_for = || self.walk(peer, hops(headers, &X_FORWARDED_FOR, addresses));
        match (has(&header::FORWARDED), has(&X_FORWARDED_FOR)) {
            (true, false) => forwarded(),
            (false, true) => x_forwarded_for(),
            (true, true) => Some(forwarded()).filter(|client| *client == x_forwarded_for()).unwrap_or(peer),
            (false, false) => peer,
        }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Goes from the peer towards the client as long as trusted proxies say who is next. What cannot be read ends the
    /// walk: whoever wrote it, the last good hop is the one that is known.
    fn walk(&self, peer: IpAddr, nearest_first: impl Iterator<Item = Option<IpAddr>>) -> IpAddr {
        let mut client = peer;
        for hop in nearest_first {
            match hop {
                Some(hop) if self.trusts(client) => client = hop,
                _ => break,
            }
        }
        client
    }

    fn warn(&self, peer: IpAddr) {
        if let Some(requests) = self.ignored.count() {
            tracing::warn!(
                %peer,
                requests,
                "ignored Forwarded or X-Forwarded-For from a peer that is no trusted proxy; if it is one, name its \
                 network in server.trusted_proxies (VESTIBULE_SERVER__TRUSTED_PROXIES)"
            );
        }
    }
}

/// The hops of a header, the nearest first. A line that cannot be read is one hop that cannot.
fn hops<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    read: fn(&str) -> Vec<Option<IpAddr>>,
) -> impl Iterator<Item = Option<IpAddr>> + use<'a> {
    let lines = headers.get_all(name).iter().map(move |line| line.to_str().map_or_else(|_| vec![None], read));
    lines.collect::<Vec<_>>().into_iter().rev().flat_map(|hops| hops.into_iter().rev())
}

/// The hops of one line of `X-Forwarded-For`.
fn addresses(line: &str) -> Vec<Option<IpAddr>> {
    line.split(',').map(|hop| address(hop.trim())).collect()
}

/// The hops of one line of `Forwarded`: the `for` of every element.
fn elements(line: &str) -> Vec<Option<IpAddr>> {
    match split(line, ',') {
        Some(elements) => elements.into_iter().map(element).collect(),
        // A quote that is left open may swallow what the proxy added behind it.
        None => vec![None],
    }
}

/// The address that an element names by exactly one `for`.
fn element(text: &str) -> Option<IpAddr> {
    let mut found = None;
    // Empty pairs are allowed there.
    for pair in split(text, ';')?.into_iter().filter(|pair| !pair.trim().is_empty()) {
        let (name, value) = pair.trim().split_once('=')?;
        let value = unquoted(value)?;
        if name.eq_ignore_ascii_case("for") && found.replace(address(value)?).is_some() {
            return None;
        }
    }
    found
}

/// The parts between separators that stand outside of quotes; `None` when a quote is left open.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut quoted, mut escaped) = (false, false);
    let separates = |letter| {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return letter == separator && !quoted,
        }
        false
    };
    let parts = text.split(separates).collect();
    (!quoted).then_some(parts)
}

/// A token or what a quoted string holds. No address needs a quote or a backslash in it.
fn unquoted(value: &str) -> Option<&str> {
    let inner = match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => value,
    };
    (!inner.contains(['"', '\\'])).then_some(inner)
}

/// An address with or without a port, IPv6 with or without brackets; an IPv4-mapped one is IPv4. `unknown` and made-up
/// names (RFC 7239 section 6) are none.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || IpAddr::from_str(text).ok();
    let bracketed = || {
        let inner = text.strip_prefix('[')?.strip_suffix(']')?;
        Ipv6Addr::from_str(inner).ok().map(IpAddr::from)
    };
    let with_port = || SocketAddr::from_str(text).ok().filter(|_| !text.contains('%')).map(|address| address.ip());
    bare().or_else(bracketed).or_else(with_port).map(|address| address.to_canonical())
}
