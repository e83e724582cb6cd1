//! The addresses of the server: combinations that a host can serve are accepted, and others are rejected early.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tempfile::TempDir;
use tokio::net::TcpStream;
use vestibule::config::Config;

use crate::{
    config::{assert_rejected, check},
    support::process::{Server, public_vestibule, unused_port},
};

/// Starts a server on these addresses, in which `PORT` stands for a free port. Returns it and the port.
fn start(folder: &TempDir, listen: &str) -> (Server, u16) {
    let port = unused_port();
    let mut command = public_vestibule(folder);
    command.env("VESTIBULE_SERVER__LISTEN", listen.replace("PORT", &port.to_string()));
    (Server::start(command), port)
}

async fn connects(address: impl Into<IpAddr>, port: u16) -> bool {
    TcpStream::connect(SocketAddr::from((address.into(), port))).await.is_ok()
}

#[apply(trial)]
async fn every_address_of_both_families_can_be_listened_on_together() {
    for listen in ["0.0.0.0:PORT,[::]:PORT", "[::]:PORT,0.0.0.0:PORT", "127.0.0.1:PORT,[::]:PORT"] {
        let folder = TempDir::new().unwrap();
        let (server, port) = start(&folder, listen);
        assert!(connects(Ipv4Addr::LOCALHOST, port).await && connects(Ipv6Addr::LOCALHOST, port).await, "{listen}");
        server.kill();
    }
}

#[apply(trial)]
async fn ipv6_wildcard_alone_also_accepts_ipv4() {
    let folder = TempDir::new().unwrap();
    let (server, port) = start(&folder, "[::]:PORT");
    assert!(connects(Ipv4Addr::LOCALHOST, port).await && connects(Ipv6Addr::LOCALHOST, port).await);
    server.kill();
}

#[apply(trial)]
async fn overlapping_addresses_are_rejected() {
    for listen in [
        "127.0.0.1:5000,127.0.0.1:5000",
        "0.0.0.0:5000,127.0.0.1:5000",
        "[::1]:5000,[::]:5000",
        "[::ffff:127.0.0.1]:5000,127.0.0.1:5000",
    ] {
        let output = check(&[("VESTIBULE_SERVER__LISTEN", listen)], None);
        assert_rejected(&output, &["server.listen", "overlap; remove one of them"]);
    }
    for (listen, metrics) in [
        ("127.0.0.1:5000", "127.0.0.1:5000"),
        ("0.0.0.0:5000", "127.0.0.1:5000"),
        ("[::]:5000", "127.0.0.1:5000"),
        ("127.0.0.1:5000", "[::]:5000"),
    ] {
        let variables = [("VESTIBULE_SERVER__LISTEN", listen), ("VESTIBULE_METRICS__LISTEN", metrics)];
        assert_rejected(&check(&variables, None), &["metrics.listen", "must not overlap", listen]);
    }
    for (listen, metrics) in
        [("127.0.0.1:0,127.0.0.1:0", "127.0.0.1:0"), ("[::1]:5000,127.0.0.1:5000", "127.0.0.1:5001")]
    {
        let variables = [("VESTIBULE_SERVER__LISTEN", listen), ("VESTIBULE_METRICS__LISTEN", metrics)];
        assert!(check(&variables, None).status.success(), "{listen} {metrics}");
    }
}

#[apply(trial)]
async fn address_of_a_proxy_is_a_network_of_one_address() {
    let name = "VESTIBULE_SERVER__TRUSTED_PROXIES".to_owned();
    let config = Config::parse("", [(name, "10.0.0.1, fd00::1,192.168.0.0/16".to_owned())]).unwrap();
    let networks: Vec<_> = config.server.trusted_proxies.iter().map(|network| network.get().to_string()).collect();
    assert_eq!(networks, ["10.0.0.1/32", "fd00::1/128", "192.168.0.0/16"]);
}
