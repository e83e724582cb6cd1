//! The filter of the log: a misspelled level is rejected, errors always pass, and health checks stay out of the access log.

use sea_orm::ConnectionTrait as _;
use serde_json::Value;
use vestibule::telemetry::LogFilter;

use crate::{
    config::{assert_rejected, check},
    support::process::{Deployment, PASSWORD, Server},
    telemetry::{scrape, start_with_metrics},
};

#[apply(trial)]
async fn words_that_are_no_level_are_rejected_with_a_suggestion() {
    for (filter, suggestion) in [
        ("warning", "write warn"),
        ("Warning", "write warn"),
        ("err", "write error"),
        ("fatal", "write error"),
        ("CRITICAL", "write error"),
        ("verbose", "write debug"),
        ("none", "write off"),
        ("info,warning", "write warn"),
        ("vestibule=warning", "write warn"),
        ("info,vestibule=verbose", "write debug"),
        ("vestibule", "write vestibule=debug"),
        ("info vestibule=debug", "invalid directive"),
        ("vestibule=loud", "write trace, debug, info, warn, error or off"),
        ("vestibule=", "write trace, debug, info, warn, error or off"),
        ("info;debug", "write info;debug=debug for a module, or a level"),
        (",", "contains no directive"),
        ("info,[request", "invalid directive"),
    ] {
        let output = check(&[("VESTIBULE_LOG__FILTER", filter)], None);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(6), "{filter}: {text}");
        assert!(text.contains(suggestion), "{filter}: {text}");
        assert_rejected(&output, &["log.filter (VESTIBULE_LOG__FILTER): "]);
    }
    for filter in [
        "info",
        "WARN",
        "Error",
        "off",
        "trace",
        "3",
        "info,vestibule=debug",
        " info , vestibule=debug ",
        "info,",
        "vestibule=trace,hyper=off",
        "[request]=debug",
        "vestibule[request{operation=login}]=debug",
        "[request]",
        "info,sqlx::postgres::notice=warn",
    ] {
        assert!(LogFilter::parse(filter).is_ok(), "{filter}");
    }
}

#[apply(trial)]
async fn errors_are_logged_whatever_the_filter_says() {
    for filter in ["off", "vestibule=off", "sqlx=debug", "ERROR"] {
        let deployment = Deployment::new().await;
        let mut command = deployment.command();
        command.env("VESTIBULE_LOG__FILTER", filter);
        let server = Server::start(command);
        deployment.connect().await.execute_unprepared("DROP TABLE rate_limit").await.unwrap();
        assert_eq!(server.log_in("john", PASSWORD).await.status, 500);
        server.stop();
        let logs = deployment.logs();
        let record = logs.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let errors = record.filter(|record| record["level"] == "ERROR" && record["message"] == "request completed");
        assert_eq!(errors.count(), 1, "{filter}: {logs}");
    }
}

#[apply(trial)]
async fn failed_health_checks_are_logged() {
    let deployment = Deployment::new().await;
    let mut command = deployment.command();
    command.env("VESTIBULE_SERVER__SHUTDOWN_DELAY", "30s").env("VESTIBULE_LOG__FILTER", "info");
    let server = Server::start(command);
    rustix::process::kill_process(server.pid(), rustix::process::Signal::TERM).unwrap();
    while server.get("/health/ready").send().await.status == 200 {}
    server.call("POST", "/health/live").send().await.is_problem(405, "method_not_allowed");
    server.stop();
    let logs = deployment.logs();
    let lines: Vec<_> = logs.lines().filter(|line| line.contains("request completed")).collect();
    assert!(lines.iter().any(|line| line.contains("/health/ready") && line.contains(":503,")), "{logs}");
    assert!(lines.iter().any(|line| line.contains("/health/live") && line.contains(":405,")), "{logs}");
    assert!(!lines.iter().any(|line| line.contains(":200,")), "{logs}");
}

#[apply(trial)]
async fn successful_health_checks_are_logged_only_if_configured() {
    for (setting, is_logged) in [("", false), ("true", true)] {
        let deployment = Deployment::new().await;
        let mut command = deployment.command();
        command.env("VESTIBULE_LOG__HEALTH_CHECKS", setting).env("VESTIBULE_LOG__FILTER", "vestibule=debug");
        let server = Server::start(command);
        for path in ["/health/live", "/health/ready"] {
            assert_eq!(server.get(path).send().await.status, 200);
            assert_eq!(server.call("HEAD", path).send().await.status, 200);
        }
        assert_eq!(server.get("/.well-known/jwks.json").send().await.status, 200);
        server.stop();
        let logs = deployment.logs();
        let lines =
            |text: &str| logs.lines().filter(|line| line.contains("request completed") && line.contains(text)).count();
        assert_eq!(lines("/health/"), if is_logged { 4 } else { 0 }, "{logs}");
        assert_eq!(logs.lines().filter(|line| line.contains("request started")).count(), if is_logged { 5 } else { 1 });
        assert_eq!(lines("/.well-known/jwks.json"), 1, "{logs}");
    }
}

#[apply(trial)]
async fn scrapes_are_not_logged() {
    let deployment = Deployment::new().await;
    let (server, url) = start_with_metrics(&deployment);
    scrape(&url).await;
    server.stop();
    let logs = deployment.logs();
    assert!(!logs.contains("/metrics"), "{logs}");
}
