//! Variables that Kubernetes sets for each service of a namespace. Those of a service named `vestibule` begin with the
//! prefix of the settings.

use std::net::{IpAddr, SocketAddr};

/// The protocols of a service.
const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

/// Returns whether a variable describes a service: for `vestibule-db`, `VESTIBULE_DB_SERVICE_HOST`,
/// `VESTIBULE_DB_SERVICE_PORT_SQL` and `VESTIBULE_DB_PORT_5432_TCP_ADDR`, among others. `name` is in capital letters.
///
/// The value must fit the name, so that `VESTIBULE_METRICS_PORT=9464` is a misspelled setting and not ignored. An empty
/// value fits every name, because that is how such a variable is cleared.
pub(super) fn is_service_link(name: &str, value: &str) -> bool {
    if name.ends_with("_SERVICE_HOST") && (is_host(value) || value.is_empty()) {
        return true;
    }
    let is_named_port = |rest: &str| (rest.is_empty() || rest.starts_with('_')) && (is_port(value) || value.is_empty());
    texts_after(name, "_SERVICE_PORT").any(is_named_port)
        || texts_after(name, "_PORT").any(|rest| is_port_link(rest, value))
}

/// Returns the text after each occurrence of `marker`.
fn texts_after<'a>(name: &'a str, marker: &'a str) -> impl Iterator<Item = &'a str> {
    name.match_indices(marker).filter_map(|(start, found)| name.get(start.checked_add(found.len())?..))
}

/// Returns whether `rest` and the value are those of a port: `VESTIBULE_PORT` and `VESTIBULE_PORT_5000_TCP` contain a
/// URL, and `…_PROTO`, `…_PORT` and `…_ADDR` its parts.
fn is_port_link(rest: &str, value: &str) -> bool {
    let fits = |is_valid: bool| is_valid || value.is_empty();
    if rest.is_empty() {
        return fits(is_url(value));
    }
    let mut parts = rest.split('_');
    let is_number = parts.next() == Some("") && parts.next().is_some_and(is_port);
    let has_protocol = parts.next().is_some_and(|protocol| PROTOCOLS.contains(&protocol));
    let fits_part = match (parts.next(), parts.next()) {
        (None, None) => fits(is_url(value)),
        (Some("PROTO"), None) => fits(is_protocol(value)),
        (Some("PORT"), None) => fits(is_port(value)),
        (Some("ADDR"), None) => fits(is_host(value)),
        _ => false,
    };
    is_number && has_protocol && fits_part
}

fn is_url(value: &str) -> bool {
    value
        .split_once("://")
        .is_some_and(|(scheme, address)| is_protocol(scheme) && address.parse::<SocketAddr>().is_ok())
}

fn is_protocol(value: &str) -> bool {
    PROTOCOLS.iter().any(|protocol| protocol.eq_ignore_ascii_case(value))
}

fn is_port(value: &str) -> bool {
    value.parse::<u16>().is_ok()
}

fn is_host(value: &str) -> bool {
    value.parse::<IpAddr>().is_ok()
}
