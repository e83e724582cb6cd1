//! The two formats of the metrics: `OpenMetrics`, and the older text format of Prometheus.

use std::collections::BTreeSet;

use crate::{
    support::process::Deployment,
    telemetry::{scrape, series, start_with_metrics},
};

/// The `Accept` headers of clients that get the text format of Prometheus.
const PROMETHEUS_TEXT: [&str; 9] = [
    "text/plain;version=0.0.4",
    "text/plain; version=0.0.4; charset=utf-8",
    "TEXT/PLAIN",
    "text/*",
    "text/plain;version=1.0.0;escaping=allow-utf-8",
    // Prometheus 1, and telegraf.
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,\
     text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
    "application/openmetrics-text;q=0.5, text/plain;q=0.75",
    "application/openmetrics-text;q=0, */*",
    "application/json, text/plain, */*",
];

/// The `Accept` headers of clients that get `OpenMetrics`.
const OPEN_METRICS: [&str; 9] = [
    "*/*",
    "",
    "application/openmetrics-text;version=1.0.0",
    // Prometheus 2 and 3.
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
     text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
     application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
     text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
    "text/plain;q=0, application/json",
    "text/plain;q=2, text/plain;q=nonsense, text/plain;q=0.1234",
    "application/openmetrics-text, text/plain",
    "nonsense",
];

async fn scrape_with(url: &str, accept: &str) -> (String, String) {
    let response = reqwest::Client::new().get(url).header("accept", accept).send().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["vary"]), (200, &"accept".parse().unwrap()));
    (response.headers()["content-type"].to_str().unwrap().to_owned(), response.text().await.unwrap())
}

#[apply(trial)]
async fn clients_choose_the_format_of_the_metrics() {
    let deployment = Deployment::new().await;
    let (_server, url) = start_with_metrics(&deployment);
    for accept in PROMETHEUS_TEXT {
        let (media_type, text) = scrape_with(&url, accept).await;
        assert_eq!(media_type, "text/plain; version=0.0.4; charset=utf-8", "{accept}");
        assert!(!text.contains("# EOF") && !text.contains("# UNIT"), "{accept}: {text}");
    }
    for accept in OPEN_METRICS {
        let (media_type, text) = scrape_with(&url, accept).await;
        assert_eq!(media_type, "application/openmetrics-text; version=1.0.0; charset=utf-8", "{accept}");
        assert!(text.ends_with("# EOF\n"), "{accept}: {text}");
    }
}

#[apply(trial)]
async fn both_formats_have_the_same_series() {
    let deployment = Deployment::new().await;
    let (server, url) = start_with_metrics(&deployment);
    assert_eq!(server.get("/me").send().await.status, 401);
    let (open_metrics, prometheus) = (scrape(&url).await, scrape_with(&url, "text/plain;version=0.0.4").await.1);
    let names = |text: &str| series(text).into_keys().collect::<Vec<_>>();
    assert_eq!(names(&prometheus), names(&open_metrics));
    // In the older format, the type belongs to the name of the series.
    for (name, kind) in [
        ("vestibule_build_info", "gauge"),
        ("vestibule_logins_total", "counter"),
        ("vestibule_hash_queue_length", "gauge"),
        ("vestibule_hash_duration_seconds", "histogram"),
    ] {
        let described = format!("# TYPE {name} {kind}\n{name}");
        assert!(prometheus.contains(&described) && prometheus.contains(&format!("# HELP {name} ")), "{prometheus}");
    }
    let types = prometheus.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').nth(1));
    let types = types.collect::<BTreeSet<_>>();
    assert!(types.is_subset(&BTreeSet::from(["counter", "gauge", "histogram"])), "{types:?}");
}
