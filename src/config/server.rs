//! `[server]`

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ipnet::IpNet;

use super::{
    error::ConfigError,
    header_name::HeaderName,
    http_url::HttpUrl,
    origin::Origin,
    settings_macro::settings,
    units::{BoundedDuration, KIB, MIB, MINUTE, SECOND, Size},
    value::{Count, SettingValue},
};

const DEFAULT_LISTEN: &str = "127.0.0.1:5000, [::1]:5000";
const DEFAULT_PUBLIC_URL: &str = "http://localhost:5000";
/// The minimum prefix length of a public IPv4 network of proxies. No private IPv4 network is larger.
const MIN_IPV4_PREFIX: u8 = 8;
/// The minimum prefix length of a public IPv6 network of proxies.
const MIN_IPV6_PREFIX: u8 = 20;
/// How long the server continues to serve after SIGTERM, unless it listens on loopback only.
const DEFAULT_SHUTDOWN_DELAY: Duration = Duration::from_secs(5);

settings! {
    /// The HTTP server.
    pub struct Server as "server" {
        /// The addresses to listen on. Every address that you list must be available. If you keep the default, the IPv6
        /// address is optional. `[::]:5000` alone also accepts IPv4.
        listen: Vec<SocketAddr> = DEFAULT_LISTEN,
        /// The URL at which clients reach the service, such as `https://login.example.com` or
        /// `https://example.com/auth`. It is also the issuer (`iss`) of access tokens, and the server of the served
        /// OpenAPI document.
        public_url: HttpUrl = DEFAULT_PUBLIC_URL,
        /// The maximum size of a request body.
        max_body_size: Size<usize, { 4 * KIB }, MIB> = "16KiB",
        /// How long a request may take, including its body.
        request_timeout: BoundedDuration<SECOND, { 5 * MINUTE }> = "30s",
        /// How long the body of a request may take to arrive.
        body_timeout: BoundedDuration<SECOND, { 5 * MINUTE }> = "15s",
        /// How long a connection without a request stays open. It must be longer than the idle timeout of your proxy or
        /// load balancer, which is often 60 seconds. Otherwise the proxy may send a request on a connection that the
        /// server is closing, and respond with 502.
        idle_timeout: BoundedDuration<SECOND, { 60 * MINUTE }> = "75s",
        /// The maximum number of concurrent connections. If the limit of open files (`ulimit -n`) allows fewer, the
        /// server uses the lower number and logs a warning.
        max_connections: Count<usize, 1, 1_000_000> = "1000",
        /// How long the server continues to serve requests after SIGTERM, while `/health/ready` returns 503. If unset,
        /// `5s`, or `0s` if every address is loopback.
        shutdown_delay: Option<BoundedDuration<0, { 5 * MINUTE }>> = "",
        /// How long requests in progress may take after the server stops accepting connections.
        shutdown_timeout: BoundedDuration<0, { 5 * MINUTE }> = "25s",
        /// The networks or addresses of trusted reverse proxies, such as `10.0.0.0/8`. The server reads the client IP
        /// from the header `server.client_ip_header` only if the request comes from one of them. Public networks may
        /// have at most the size of a /8 (IPv4) or a /20 (IPv6).
        trusted_proxies: Vec<ProxyNetwork> = "",
        /// The header in which the trusted proxies name the client: `x-forwarded-for`, `forwarded`, or another one such
        /// as `cf-connecting-ip`. The server ignores all other headers for the client IP, because a proxy forwards them
        /// as the client sent them.
        client_ip_header: HeaderName = "x-forwarded-for",
        /// The origins whose pages may call the service from a browser or a web view, such as `https://app.example` or
        /// `capacitor://localhost`. They are compared byte by byte. In `https://*.preview.example.com`, the `*` stands
        /// for exactly one label.
        cors_origins: Vec<Origin> = "",
        /// The request headers that pages of these origins may send, in addition to `Authorization`, `Content-Type` and
        /// the headers of tracing libraries: `traceparent`, `tracestate`, `baggage` and `sentry-trace`.
        cors_headers: Vec<HeaderName> = "",
    }
}

impl Server {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.listen.is_empty() {
            return Err(ConfigError::setting("server.listen", "is an empty list; write at least one address"));
        }
        let mut earlier = Vec::new();
        for &address in &self.listen {
            if let Some(other) = earlier.iter().find(|other| overlap(**other, address)) {
                let reason = format!("contains {other} and {address}, which overlap; remove one of them");
                return Err(ConfigError::setting("server.listen", reason));
            }
            earlier.push(address);
        }
        Ok(())
    }

    /// Returns the address of the server that overlaps with an address of another listener.
    pub(super) fn overlapping(&self, other: SocketAddr) -> Option<SocketAddr> {
        // `[::]` alone also accepts IPv4.
        let includes = |address: SocketAddr, other: SocketAddr| {
            address.port() == other.port() && address.is_ipv6() && address.ip().is_unspecified() && other.is_ipv4()
        };
        self.listen.iter().copied().find(|&address| {
            overlap(address, other) || (address.port() != 0 && (includes(address, other) || includes(other, address)))
        })
    }

    /// Returns the public URL without a trailing slash.
    pub fn issuer(&self) -> &str {
        self.public_url.as_str()
    }

    /// Returns the URL of the server on this host, if the public URL is the default but its port is not the port of the
    /// server.
    pub fn local_url(&self, bound: &[SocketAddr]) -> Option<String> {
        let port = bound.first()?.port();
        let differs = self.issuer() == DEFAULT_PUBLIC_URL && self.public_url.port() != Some(port);
        differs.then(|| format!("http://localhost:{port}"))
    }

    /// Returns how long the server continues to serve after SIGTERM. On loopback there is no proxy that needs time to
    /// send requests elsewhere, and a script that restarts the server would find the port in use.
    pub fn shutdown_delay(&self) -> Duration {
        let default = if self.is_loopback() { Duration::ZERO } else { DEFAULT_SHUTDOWN_DELAY };
        self.shutdown_delay.map_or(default, BoundedDuration::get)
    }

    /// Returns whether the addresses are the default addresses.
    pub fn listens_by_default(&self) -> bool {
        Vec::parse(DEFAULT_LISTEN).is_ok_and(|default| self.listen == default)
    }

    /// Returns whether only this host can reach the server.
    pub fn is_loopback(&self) -> bool {
        self.listen.iter().all(|address| address.ip().is_loopback())
    }
}

/// Returns whether two listeners cannot use these addresses together. They are equal, or one of them stands for every
/// address of its family. Port 0 never overlaps, because the system chooses a free port for it.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let (first, second) = (one.ip().to_canonical(), other.ip().to_canonical());
    let is_same_family = first.is_ipv4() == second.is_ipv4();
    one.port() != 0
        && one.port() == other.port()
        && (first == second || (is_same_family && (first.is_unspecified() || second.is_unspecified())))
}

/// The network of a trusted proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyNetwork(IpNet);

impl ProxyNetwork {
    /// Returns the network.
    pub const fn get(self) -> IpNet {
        self.0
    }
}

impl SettingValue for ProxyNetwork {
    fn parse(text: &str) -> Result<Self, String> {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        let network = address.or_else(|_| text.parse());
        let network = network.map_err(|_| "is not a network; write one such as 10.0.0.0/8, or an IP address")?;
        match network {
            _ if network.prefix_len() == 0 => Err("trusts every client; write the network of the proxies".to_owned()),
            // Client IPs are compared in canonical form, so an IPv4-mapped network would never match.
            IpNet::V6(network) if network.addr().to_ipv4_mapped().is_some() => {
                Err("is an IPv4 network in IPv6 notation; write it as IPv4".to_owned())
            }
            _ if is_too_wide(network) => Err(format!(
                "contains more than proxies, and any client in it could choose its client IP; write the networks \
                 of the proxies, at most /{MIN_IPV4_PREFIX} (IPv4) or /{MIN_IPV6_PREFIX} (IPv6)"
            )),
            _ => Ok(Self(network)),
        }
    }

    fn to_toml(&self) -> toml::Value {
        self.0.to_string().into()
    }

    fn expected() -> String {
        "a network in CIDR notation, or an IP address".to_owned()
    }
}

/// Returns whether a network is too large to contain only proxies. Hosts on the internet cannot reach the server from a
/// private network, so its size does not matter.
fn is_too_wide(network: IpNet) -> bool {
    match network {
        IpNet::V4(network) => network.prefix_len() < MIN_IPV4_PREFIX,
        IpNet::V6(network) => {
            let (address, prefix) = (network.network(), network.prefix_len());
            let is_private =
                address.is_unique_local() && prefix >= 7 || address.is_unicast_link_local() && prefix >= 10;
            prefix < MIN_IPV6_PREFIX && !is_private
        }
    }
}
