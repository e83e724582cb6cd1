//! Variables that others set never stop a start, and misspelled settings always do.

use crate::config::{assert_rejected, check};

/// A port of a service: its name, number and protocol.
type Port = (&'static str, u16, &'static str);

/// Returns the variables that kubelet sets for a service.
fn service_variables(service: &str, address: &str, ports: &[Port]) -> Vec<(String, String)> {
    let prefix = service.to_uppercase().replace('-', "_");
    let host = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
    let url = |port: u16, protocol: &str| format!("{}://{host}:{port}", protocol.to_lowercase());
    let (_, first_port, first_protocol) = ports[0];
    let mut variables = vec![
        ("SERVICE_HOST".to_owned(), address.to_owned()),
        ("SERVICE_PORT".to_owned(), first_port.to_string()),
        ("PORT".to_owned(), url(first_port, first_protocol)),
    ];
    for (name, port, protocol) in ports {
        let link = format!("PORT_{port}_{protocol}");
        variables.extend([
            (format!("SERVICE_PORT_{}", name.to_uppercase().replace('-', "_")), port.to_string()),
            (link.clone(), url(*port, protocol)),
            (format!("{link}_PROTO"), protocol.to_lowercase()),
            (format!("{link}_PORT"), port.to_string()),
            (format!("{link}_ADDR"), address.to_owned()),
        ]);
    }
    variables.into_iter().map(|(name, value)| (format!("{prefix}_{name}"), value)).collect()
}

/// Returns the variables of a namespace with several services.
fn namespace() -> Vec<(String, String)> {
    [
        service_variables("vestibule", "10.0.0.7", &[("http", 5000, "TCP"), ("http-metrics", 9464, "TCP")]),
        service_variables("vestibule-db", "fd00::5", &[("sql", 5432, "TCP")]),
        service_variables("vestibule-metrics", "10.0.0.9", &[("a", 1, "TCP"), ("b-port", 2, "UDP"), ("c", 3, "SCTP")]),
        service_variables("vestibule-database-port", "10.0.0.10", &[("server-port", 65535, "TCP")]),
        service_variables("vestibule--preview", "10.0.0.11", &[("http", 80, "TCP")]),
    ]
    .concat()
}

#[apply(trial)]
async fn variables_of_kubernetes_services_never_stop_a_start() {
    let variables = namespace();
    assert!(variables.len() > 50, "{variables:?}");
    let all: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let output = check(&all, None);
    assert!(output.status.success(), "{output:?}");
    // The usual way to clear them.
    let cleared: Vec<_> = all.iter().map(|(name, _)| (*name, "")).collect();
    let output = check(&cleared, None);
    assert!(output.status.success(), "{output:?}");
}

#[apply(trial)]
async fn misspelled_settings_are_rejected_next_to_service_variables() {
    let variables = namespace();
    for (name, value) in [
        ("VESTIBULE_SERVER_LISTEN", "127.0.0.1:5000"),
        ("VESTIBULE_SERVER__LISTN", "127.0.0.1:5000"),
        ("VESTIBULE_LOGFILTER", "info"),
        ("VESTIBULE_SERVER__HOST", "10.0.0.7"),
        // The values are not those of a service.
        ("VESTIBULE_PORT", "5000"),
        ("VESTIBULE_METRICS_PORT", "9464"),
        ("VESTIBULE_DATABASE_PORT", "5432"),
        ("VESTIBULE_METRICS__PORT", "9464"),
        ("VESTIBULE_SERVICE_HOST", "localhost"),
        ("VESTIBULE_SERVICE_PORT", "http"),
        ("VESTIBULE_SERVICE_PORTS", "5000"),
        ("VESTIBULE_PORT_5000_TCP", "127.0.0.1:5000"),
        ("VESTIBULE_PORT_5000_TCP_HOST", "10.0.0.7"),
        ("VESTIBULE_PORT_5000_HTTP", "tcp://10.0.0.7:5000"),
        ("VESTIBULE_PORT_HTTP", "tcp://10.0.0.7:5000"),
    ] {
        let mut all: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        all.retain(|(other, _)| *other != name);
        all.push((name, value));
        assert_rejected(&check(&all, None), &[name, "there is no such"]);
    }
    assert_rejected(&check(&[("VESTIBULE_SERVER__LISTN", "")], None), &["VESTIBULE_SERVER__LISTN"]);
}
