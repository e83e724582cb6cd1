//! The message that the server prints once it is ready.

use std::net::SocketAddr;

use vestibule::config::Config;

/// The example of the OpenAPI document.
const EXAMPLE_CREDENTIALS: &str = r#"{"username": "john", "password": "my_password"}"#;

/// Returns the message: the addresses of the server, how to create the first user, and what is open to the public. A
/// person at a terminal gets commands to copy.
pub(super) fn start_message(
    config: &Config,
    bound: &[SocketAddr],
    metrics: Option<SocketAddr>,
    is_terminal: bool,
) -> String {
    let issuer = config.server.issuer();
    let url = config.server.local_url(bound).unwrap_or_else(|| issuer.to_owned());
    let addresses = bound.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");

    let mut lines = vec![format!("Vestibule {}\n", env!("CARGO_PKG_VERSION"))];
    let mut add = |label: &str, value: &str| lines.push(format!("  {label:<10}  {value}\n"));
    add("URL", &url);
    add("listens on", &addresses);
    add("docs", &if config.docs.enabled { format!("{url}/docs") } else { "off (docs.enabled)".to_owned() });
    if let Some(address) = metrics {
        add("metrics", &format!("http://{address}/metrics"));
    }
    add("database", &config.database.describe());
    if is_terminal {
        let curl = |path| format!("curl {url}{path} --json '{EXAMPLE_CREDENTIALS}'");
        let add_user = if config.registration.open { curl("/register") } else { "vestibule user add john".to_owned() };
        add("first user", &add_user);
        add("log in", &curl("/login"));
    } else {
        add("first user", first_user(config));
    }
    if url != issuer {
        add("issuer", &format!("{issuer}; set VESTIBULE_SERVER__PUBLIC_URL to the URL that clients use"));
    }
    for warning in exposures(config, metrics) {
        add("public", warning);
    }
    lines.concat()
}

fn first_user(config: &Config) -> &'static str {
    if config.registration.open {
        "POST /register, or: vestibule user add NAME"
    } else {
        "vestibule user add NAME (registration is disabled)"
    }
}

/// Lists what every client on another host can use, and how to restrict it.
fn exposures(config: &Config, metrics: Option<SocketAddr>) -> Vec<&'static str> {
    let is_public = !config.server.is_loopback();
    let mut exposures = Vec::new();
    if is_public && config.registration.open {
        exposures.push("anyone can register; set VESTIBULE_REGISTRATION__OPEN=false to disable registration");
    }
    if is_public && config.docs.enabled {
        exposures.push("anyone can read the documentation; set VESTIBULE_DOCS__ENABLED=false to turn it off");
    }
    if metrics.is_some_and(|address| !address.ip().is_loopback()) {
        exposures.push("anyone can read the metrics; set VESTIBULE_METRICS__LISTEN to a private address");
    }
    exposures
}
