//! What a newcomer meets: the front page, the messages of the first start, the version, and a stop on this host.

use std::{
    io::Read as _,
    net::TcpListener,
    time::{Duration, Instant},
};

use rustix::process::{Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{
    TestApp,
    process::{Server, open_terminal, public_vestibule, vestibule},
};

#[apply(trial)]
async fn root_leads_to_the_documentation_s85() {
    let app = TestApp::new().await;
    for (path, target) in [("/", "docs"), ("/docs/", "../docs")] {
        for method in ["GET", "HEAD"] {
            let response = app.call(method, path).send().await;
            assert_eq!((response.status, response.header("location")), (307, target), "{method} {path}");
        }
        let elsewhere = app.get(&format!("{path}?next=https://evil.example")).send().await;
        assert_eq!(elsewhere.header("location"), target);
        app.call("POST", path).send().await.is_problem(405, "method_not_allowed");
    }
}

#[apply(trial)]
async fn root_names_the_service_where_documentation_is_off() {
    let app = TestApp::builder().setting("docs.enabled", "false").start().await;
    let response = app.get("/").send().await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), "application/json");
    assert_eq!(response.body, json!({ "name": "Vestibule", "version": env!("CARGO_PKG_VERSION") }));
    app.get("/docs/").send().await.is_problem(404, "not_found");
}

/// Starts a server whose output goes to a terminal, and returns what the terminal shows until it has stopped.
fn on_a_terminal(folder: &TempDir) -> String {
    let (mut controller, terminal) = open_terminal();
    let mut command = vestibule(folder);
    command.stdout(terminal.try_clone().unwrap()).stderr(terminal);
    let mut child = command.spawn().unwrap();
    drop(command);

    let (mut seen, mut part) = (String::new(), [0; 4096]);
    // On Linux, reading fails when no process has the terminal open any more.
    while let Ok(length) = controller.read(&mut part) {
        seen.push_str(&String::from_utf8_lossy(&part[..length]));
        if seen.contains("/login") && !seen.contains("stopped") {
            kill_process(rustix::process::Pid::from_child(&child), Signal::TERM).unwrap();
        }
    }
    assert!(child.wait().unwrap().success());
    seen
}

#[apply(trial)]
async fn first_start_on_a_terminal_shows_a_summary_with_a_login_to_copy() {
    let folder = TempDir::new().unwrap();
    let first = on_a_terminal(&folder);
    let summary = first.find("Vestibule ").unwrap();
    assert!(first[..summary].lines().count() <= 1, "one line about the schema: {first}");
    assert!(first[..summary].contains("migrated the database to the current schema"), "{first}");
    assert!(!first.contains("Applying migration"), "{first}");
    let login = first.lines().find(|line| line.trim_start().starts_with("log in")).unwrap();
    assert!(login.contains("/login --json '{\"username\": \"john\", \"password\": \"my_password\"}'"), "{login}");
    assert!(login.contains("curl http://localhost:"), "{login}");
    let second = on_a_terminal(&folder);
    assert!(second.starts_with("Vestibule "), "nothing is left to migrate: {second}");
}

#[apply(trial)]
async fn version_names_commit_and_target() {
    let folder = TempDir::new().unwrap();
    let output = vestibule(&folder).arg("--version").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let form = regex::Regex::new(r"^vestibule (\S+) \(([0-9a-f]{12}|unknown commit), (\w+(?:-\w+){2,3})\)\n$").unwrap();
    let version = form.captures(&text).map(|found| found[1].to_owned());
    assert_eq!(version.as_deref(), Some(env!("CARGO_PKG_VERSION")), "{text}");
}

#[apply(trial)]
async fn server_on_loopback_stops_at_once_and_frees_its_port() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(vestibule(&folder));
    let (address, asked) = (server.address(), Instant::now());
    server.stop();
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    TcpListener::bind(address).unwrap();
}

#[apply(trial)]
async fn server_that_other_hosts_reach_leaves_time_to_send_requests_elsewhere() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(public_vestibule(&folder));
    kill_process(server.pid(), Signal::TERM).unwrap();
    while server.get("/health/ready").send().await.status == 200 {}
    assert_eq!(server.get("/health/live").send().await.status, 200, "it still serves");
    // The second signal ends the delay.
    server.stop();
}
