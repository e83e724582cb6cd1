//! Forwarding headers: whatever a client writes into them, the client IP is the address from which it reached the first
//! trusted proxy.

use std::{net::IpAddr, sync::LazyLock};

use poem::http::{HeaderMap, HeaderName, HeaderValue};
use vestibule::server::fuzzing::ClientIpResolver;

const TRUSTED: [&str; 3] = ["10.0.0.0/8", "127.0.0.0/8", "2001:db8:aa::/48"];
const CLIENTS: [&str; 4] = ["203.0.113.7", "2001:db8::7", "::ffff:203.0.113.7", "11.0.0.1"];
const PROXIES: [&str; 4] = ["10.0.0.1", "127.0.0.1", "2001:db8:aa::1", "::ffff:10.0.0.2"];

static READS_FORWARDED: LazyLock<ClientIpResolver> = LazyLock::new(|| resolver("forwarded"));
static READS_X_FORWARDED_FOR: LazyLock<ClientIpResolver> = LazyLock::new(|| resolver("x-forwarded-for"));

fn resolver(header: &str) -> ClientIpResolver {
    let networks = TRUSTED.iter().map(|network| network.parse().expect("a network")).collect();
    ClientIpResolver::new(networks, header.to_owned())
}

/// How a proxy reports the address of its peer.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
struct Style {
    /// In `Forwarded`, not in `X-Forwarded-For`.
    forwarded: bool,
    /// In a new header line, not appended to the last line or to all lines joined.
    line: bool,
    /// With a port.
    port: bool,
    /// After other parameters, if the header has any; when appending, to all lines joined.
    more: bool,
}

/// The path of the request around the headers that the client writes.
#[derive(Debug)]
struct Setting {
    client: IpAddr,
    /// From the client to the service; at most three.
    proxies: Vec<IpAddr>,
    style: Style,
}

pub(crate) fn run(data: &[u8]) {
    // The first four bytes select the setting, so that the rest is text.
    let Some((&[client, chain, first, style], lines)) = data.split_first_chunk() else { return };
    let proxies = (0..chain % 4).map(|number| choose(&PROXIES, first.wrapping_add(number))).collect();
    let style = Style { forwarded: style & 1 > 0, line: style & 2 > 0, port: style & 4 > 0, more: style & 8 > 0 };
    check(&Setting { client: choose(&CLIENTS, client), proxies, style }, lines);
}

fn choose(list: &[&str], number: u8) -> IpAddr {
    list[usize::from(number) % list.len()].parse().expect("an address")
}

/// Lets the client write these lines, and the proxies add theirs. Lines that begin with `f` go into `Forwarded`, all
/// others into `X-Forwarded-For`.
fn check(setting: &Setting, lines: &[u8]) {
    let Setting { client, proxies, style } = setting;
    let mut forwarded: Vec<Vec<u8>> = Vec::new();
    let mut x_forwarded_for: Vec<Vec<u8>> = Vec::new();
    for line in lines.split(|byte| *byte == b'\n') {
        match line.split_first() {
            Some((b'f', line)) => forwarded.push(line.to_vec()),
            Some((_, line)) => x_forwarded_for.push(line.to_vec()),
            None => {}
        }
    }
    let added = if style.forwarded { &mut forwarded } else { &mut x_forwarded_for };
    let mut peer = *client;
    for proxy in proxies {
        add(added, peer, *style);
        peer = *proxy;
    }
    let Some(headers) = headers(&forwarded, &x_forwarded_for) else { return };
    let resolver = if style.forwarded { &READS_FORWARDED } else { &READS_X_FORWARDED_FOR };
    let found = resolver.client_ip(peer, &headers);
    assert_eq!(found, client.to_canonical(), "not the client in {setting:?} with {headers:?}");
}

/// Adds what one proxy reports about its peer.
fn add(lines: &mut Vec<Vec<u8>>, peer: IpAddr, style: Style) {
    let node = match (peer, style.port) {
        (IpAddr::V4(_), true) => format!("{peer}:4711"),
        (IpAddr::V6(_), true) => format!("[{peer}]:4711"),
        (IpAddr::V6(_), false) if style.forwarded => format!("[{peer}]"),
        _ => peer.to_string(),
    };
    let hop = match (style.forwarded, style.more) {
        (false, _) => node,
        (true, false) => format!("for=\"{node}\""),
        (true, true) => format!("proto=https;by=\"_me, you\";for=\"{node}\""),
    };
    if style.line || lines.is_empty() {
        lines.push(hop.into_bytes());
    } else if style.more {
        // As nginx does.
        let all = lines.join(b", ".as_slice());
        *lines = vec![[all.as_slice(), b", ", hop.as_bytes()].concat()];
    } else if let Some(last) = lines.last_mut() {
        last.extend_from_slice(b", ");
        last.extend_from_slice(hop.as_bytes());
    }
}

/// Builds the headers. `None` if a request cannot contain them.
fn headers(forwarded: &[Vec<u8>], x_forwarded_for: &[Vec<u8>]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, lines) in [("forwarded", forwarded), ("x-forwarded-for", x_forwarded_for)] {
        for line in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(line).ok()?);
        }
    }
    Some(headers)
}
