//! Telemetry of a running service: metrics, one log line for each request, and traces.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read as _,
    sync::mpsc,
    time::Duration,
};

use opentelemetry_proto::tonic::{
    common::v1::any_value,
    trace::v1::{Span, span::SpanKind},
};
use serde_json::{Value, json};

use crate::support::{
    TestApp,
    app::Tokens,
    client::TestResponse,
    collector, document, forge,
    process::{Deployment, PASSWORD, Server, open_terminal, vestibule},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn traceparent() -> String {
    format!("00-{TRACE}-{PARENT}-01")
}

/// Starts a server with metrics. Returns it and the URL of the metrics.
pub(crate) fn start_with_metrics(deployment: &Deployment) -> (Server, String) {
    let mut command = deployment.command();
    command.env("VESTIBULE_METRICS__LISTEN", "127.0.0.1:0");
    let server = Server::start(command);
    let line = server.welcome.lines().find_map(|line| line.trim().strip_prefix("metrics")).unwrap();
    let url = line.trim().to_owned();
    (server, url)
}

pub(crate) async fn scrape(url: &str) -> String {
    let response = reqwest::get(url).await.unwrap();
    assert_eq!(response.status(), 200);
    let media_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(media_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = response.text().await.unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    text
}

/// Returns every series with its value.
pub(crate) fn series(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.map(|line| line.rsplit_once(' ').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[apply(trial)]
async fn metrics_count_requests_and_events() {
    let deployment = Deployment::new().await;
    let (server, url) = start_with_metrics(&deployment);
    let stolen = server.sign_up("john").await;
    let next = Tokens::of(&server.refresh(&stolen.refresh).await);
    Tokens::of(&server.refresh(&next.refresh).await);
    assert_eq!(server.refresh(&stolen.refresh).await.status, 401, "reuse must be detected");
    assert_eq!(server.log_in("john", "wrong").await.status, 401);
    let [out, kept, other] = [server.sign_in("john").await, server.sign_in("john").await, server.sign_in("john").await];
    assert_eq!(server.call("POST", "/logout").bearer(&out.access).send().await.status, 204);
    assert_eq!(server.call("DELETE", "/me/sessions").bearer(&kept.access).send().await.status, 204);
    assert!(!server.accepts(&other).await);
    let change = json!({ "current_password": PASSWORD, "new_password": "another_password" });
    assert_eq!(server.call("POST", "/me/password").bearer(&kept.access).json(&change).send().await.status, 204);
    server.get("/nowhere").send().await;
    let series = series(&scrape(&url).await);
    let is = |name: &str, value: &str| {
        assert_eq!(series.get(name).map(String::as_str), Some(value), "{name} in {series:#?}");
    };
    is("vestibule_build_info{version=\"0.1.0\"}", "1");
    is("vestibule_logins_total{outcome=\"success\"}", "4");
    is("vestibule_logins_total{outcome=\"invalid_credentials\"}", "1");
    is("vestibule_sessions_opened_total", "4");
    is("vestibule_sessions_ended_total{cause=\"user\"}", "2");
    is("vestibule_sessions_ended_total{cause=\"refresh_token_misuse\"}", "1");
    is("vestibule_refresh_token_misuse_total{kind=\"reused\"}", "1");
    is("vestibule_http_server_requests_total{operation=\"login\",status=\"200\"}", "4");
    is("vestibule_http_server_requests_total{operation=\"login\",status=\"401\"}", "1");
    is("vestibule_http_server_requests_total{operation=\"none\",status=\"404\"}", "1");
    is("vestibule_http_server_request_duration_seconds_count{operation=\"login\"}", "5");
    is("vestibule_http_server_request_duration_seconds_bucket{le=\"+Inf\",operation=\"login\"}", "5");
    is("vestibule_http_server_active_requests", "0");
    is("vestibule_hash_queue_length", "0");
    // One for the registration, one for each login, two for the password change.
    is("vestibule_hash_duration_seconds_count", "8");
    is("vestibule_hash_queue_wait_seconds_count", "8");
    is("vestibule_job_runs_total{task=\"cleanup\",outcome=\"success\"}", "1");
    let connections =
        ["idle", "busy"].map(|state| &series[&format!("vestibule_database_connections{{state=\"{state}\"}}")]);
    assert!(connections.iter().map(|number| number.parse::<usize>().unwrap()).sum::<usize>() >= 1, "{series:#?}");
    is("vestibule_database_errors_total{kind=\"other\"}", "0");
    is("vestibule_clock_steps_total", "0");
}

/// Covers what does not occur in a healthy process: rate limits, a full queue, a failing database.
#[apply(trial)]
async fn labels_are_bounded() {
    let app = TestApp::builder().default_limits().setting("limits.refreshes_per_minute", "1").start().await;
    app.create_user("john", "my_password").await;
    let a = app.sign_in("john", "my_password").await;
    let b = Tokens::of(&app.refresh(&a.refresh).await);
    assert_eq!(app.refresh(&b.refresh).await.status, 429);
    let login = |name: String| app.post("/login").json(&json!({ "username": name, "password": "wrong" })).send();
    let mut number = 0;
    while login(format!("name{number}")).await.status != 429 {
        number += 1;
    }
    while app.refresh("vst_r_nonsense").await.status != 429 {}
    let register = |number| json!({ "username": format!("jane{number}"), "password": "my_password" });
    let mut registered = 0;
    while app.post("/register").json(&register(registered)).send().await.status != 429 {
        registered += 1;
    }
    for path in ["/nowhere", "/me/x", "/me/sessions/x/y", "/..%2f", "/docs/x"] {
        for method in ["GET", "PUT", "MADE-UP"] {
            app.call(method, path).send().await;
        }
    }
    app.get("/docs").send().await;
    app.sql("DROP TABLE known_network").await;
    assert_eq!(app.post("/login").json(&json!({ "username": "x", "password": "y" })).send().await.status, 500);
    let text = app.app.metrics.text(vestibule::metrics::Gauges::default());
    let label = regex::Regex::new("([a-z]+)=\"([^\"]*)\"").unwrap();
    let mut values: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for found in label.captures_iter(&text) {
        values.entry(found[1].to_owned()).or_default().insert(found[2].to_owned());
    }
    let paths = document().value["paths"].as_object().unwrap();
    let operations = paths.values().flat_map(|path| path.as_object().unwrap().values());
    let named = operations.filter_map(|operation| operation["operationId"].as_str().map(ToOwned::to_owned));
    let named = named.chain(["docs", "none"].map(ToOwned::to_owned)).collect::<BTreeSet<_>>();
    let unknown = values.remove("operation").unwrap().difference(&named).cloned().collect::<Vec<_>>();
    assert_eq!(unknown, Vec::<String>::new());
    assert!(values["status"].iter().all(|status| status.len() == 3 && status.parse::<u16>().is_ok()));
    let keys = values.keys().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(keys, ["cause", "kind", "le", "limit", "outcome", "state", "status", "task", "version"]);
    let values = values.iter().map(|(key, values)| (key.as_str(), values.len())).collect::<BTreeMap<_, _>>();
    let named = ["cause", "kind", "limit", "outcome", "state", "task"].map(|key| values[key]);
    assert_eq!(named, [5, 5, 4, 5, 2, 2], "labels must have a fixed number of values");
    let series = series(&text);
    for limit in ["login", "registration", "rejected_refresh", "refresh"] {
        assert_eq!(series[&format!("vestibule_rate_limited_requests_total{{limit=\"{limit}\"}}")], "1", "{limit}");
    }
    assert_eq!(series["vestibule_logins_total{outcome=\"failure\"}"], "1");
    assert_eq!(series["vestibule_logins_total{outcome=\"rate_limited\"}"], "1");
    assert_eq!(series["vestibule_database_errors_total{kind=\"other\"}"], "1");
}

#[apply(trial)]
async fn metrics_are_off_by_default_and_have_their_own_listener() {
    let deployment = Deployment::new().await;
    let server = Server::start(deployment.command());
    assert!(!server.welcome.contains("metrics"));
    assert_eq!(server.get("/metrics").send().await.status, 404);
    let (other, url) = start_with_metrics(&deployment);
    assert_eq!(other.get("/metrics").send().await.status, 404);
    let base = url.strip_suffix("/metrics").unwrap();
    for path in ["/", "/login", "/me", "/health/live", "/docs"] {
        assert_eq!(reqwest::get(format!("{base}{path}")).await.unwrap().status(), 404, "{path}");
    }
    let posted = reqwest::Client::new().post(&url).body("x").send().await.unwrap();
    assert_eq!(posted.status(), 405);
}

#[apply(trial)]
async fn metrics_are_available_while_the_service_starts() {
    let app = TestApp::builder().starting().start().await;
    assert_eq!(app.get("/health/ready").send().await.status, 503);
    let instance = vestibule::domain::instance::Instance::default();
    assert!(instance.render_metrics().contains("vestibule_hash_queue_length 0\n"));
}

/// Returns the log lines of one request.
fn lines_of(logs: &str, response: &TestResponse) -> Vec<Value> {
    let lines = logs.lines().filter(|line| line.contains(response.header("x-request-id")));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Starts a server with the default log and trace settings, whatever the test run has set.
fn start_with_default_logging(deployment: &Deployment) -> Server {
    let mut command = deployment.command();
    command.env_remove("VESTIBULE_LOG__FILTER").env_remove("VESTIBULE_TRACES__ENDPOINT");
    Server::start(command)
}

#[apply(trial)]
async fn each_request_logs_one_line() {
    let deployment = Deployment::new().await;
    let server = start_with_default_logging(&deployment);
    let registered = server.register("john").await;
    let login = server.log_in("john", PASSWORD).await;
    let tokens = Tokens::of(&login);
    let claims = forge::decode_part(&tokens.access, 1);
    let me = server.get("/me?secret=1").bearer(&tokens.access).send().await;
    let refreshed = server.refresh(&tokens.refresh).await;
    let rejected = server.log_in("john", "wrong").await;
    let nowhere = server.get("/nowhere").send().await;
    let head = server.call("HEAD", "/.well-known/jwks.json").send().await;
    server.stop();
    let logs = deployment.logs();
    let expect = |response: &TestResponse, operation: &str, status: u16, whose: bool| {
        let lines = lines_of(&logs, response);
        assert_eq!(lines.len(), 1, "{lines:?}");
        let (line, span) = (&lines[0], &lines[0]["span"]);
        assert_eq!(
            (&line["level"], &line["message"], &line["http.response.status_code"]),
            (&json!("INFO"), &json!("request completed"), &json!(status))
        );
        assert_eq!((&span["name"], &span["operation"]), (&json!("request"), &json!(operation)));
        assert!(line["duration_ms"].as_f64().unwrap() > 0.0 && line["timestamp"].is_string());
        let owner = [&span["user.id"], &span["session.id"]];
        assert_eq!(owner, if whose { [&claims["sub"], &claims["sid"]] } else { [&Value::Null; 2] }, "{line}");
        line.clone()
    };
    expect(&registered, "register", 201, false);
    expect(&login, "login", 200, true);
    expect(&me, "getMe", 200, true);
    expect(&refreshed, "refreshToken", 200, true);
    assert_eq!(expect(&rejected, "login", 401, false)["error.type"], "invalid_credentials");
    assert_eq!(expect(&nowhere, "none", 404, false)["error.type"], "not_found");
    expect(&head, "getJwks", 200, false);
    assert!(!logs.contains("secret=1"), "the query must not be logged");
}

/// The fields of a request's span that OpenTelemetry's semantic conventions for HTTP servers define.
const CONVENTIONS: [&str; 6] =
    ["otel.name", "http.request.method", "http.request.method_original", "http.route", "url.path", "client.address"];

#[apply(trial)]
async fn spans_follow_the_semantic_conventions() {
    let deployment = Deployment::new().await;
    let server = start_with_default_logging(&deployment);
    let long_path = format!("/{}", "n".repeat(1000));
    let cases = [
        ("GET", "/me?secret=1", ["GET /me", "GET", "absent", "/me", "/me"]),
        (
            "DELETE",
            "/me/sessions/7",
            ["DELETE /me/sessions/{session_id}", "DELETE", "absent", "/me/sessions/{session_id}", "/me/sessions/7"],
        ),
        ("GET", &long_path, ["GET", "GET", "absent", "absent", &long_path[..256]]),
        ("BREW", "/login", ["HTTP /login", "_OTHER", "BREW", "/login", "/login"]),
    ];
    let mut responses = Vec::new();
    for (method, path, _) in &cases {
        responses.push(server.call(method, path).send().await);
    }
    server.stop();
    let logs = deployment.logs();
    for (response, (method, path, expected)) in responses.iter().zip(cases) {
        let span = &lines_of(&logs, response)[0]["span"];
        let seen = CONVENTIONS.map(|name| span.get(name).map_or("absent", |value| value.as_str().unwrap()));
        assert_eq!(seen[..5], expected, "{method} {path}");
        assert_eq!((seen[5], &span["otel.kind"]), ("127.0.0.1", &json!("server")));
    }
}

#[apply(trial)]
async fn failed_request_logs_one_line_with_the_cause() {
    let deployment = Deployment::new().await;
    let server = start_with_default_logging(&deployment);
    let db = deployment.connect().await;
    sea_orm::ConnectionTrait::execute_unprepared(&db, "DROP TABLE audit_head").await.unwrap();
    let failed = server.register("john").await;
    failed.is_problem(500, "internal");
    server.stop();
    let lines = lines_of(&deployment.logs(), &failed);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!((&lines[0]["level"], &lines[0]["error.type"]), (&json!("ERROR"), &json!("internal")));
    assert!(lines[0]["cause"].as_str().unwrap().contains("audit_head"), "{lines:?}");
}

/// Returns what a server logs about one request on a terminal.
async fn log_on_a_terminal(folder: &tempfile::TempDir) -> String {
    let (mut controller, terminal) = open_terminal();
    let mut command = vestibule(folder);
    command.stderr(terminal);
    let server = Server::start(command);
    server.get("/.well-known/jwks.json").send().await;
    server.stop();
    let (mut seen, mut part) = (Vec::new(), [0; 4096]);
    // One read may return only some of the lines. On Linux, reading fails when no process has the terminal open.
    while let Ok(length) = controller.read(&mut part) {
        seen.extend_from_slice(&part[..length]);
    }
    String::from_utf8(seen).unwrap()
}

#[apply(trial)]
async fn log_is_json_except_on_a_terminal() {
    let folder = tempfile::TempDir::new().unwrap();
    let seen = log_on_a_terminal(&folder).await;
    assert!(seen.contains("\u{1b}[") && seen.contains("request completed"), "{seen:?}");
    assert!(serde_json::from_str::<Value>(seen.lines().next().unwrap()).is_err());
    for (format, json) in [(None, true), (Some("json"), true), (Some("text"), false)] {
        let deployment = Deployment::new().await;
        let mut command = deployment.command();
        command.envs(format.map(|format| ("VESTIBULE_LOG__FORMAT", format)));
        let server = Server::start(command);
        server.get("/.well-known/jwks.json").send().await;
        server.stop();
        let logs = deployment.logs();
        assert!(logs.contains("request completed") && !logs.contains('\u{1b}'), "{logs}");
        let all = logs.lines().all(|line| serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object()));
        assert_eq!(all, json, "{format:?}: {logs}");
    }
}

#[apply(trial)]
async fn trace_context_of_the_caller_is_continued() {
    let deployment = Deployment::new().await;
    let server = start_with_default_logging(&deployment);
    let asked = async |header: &str| server.get("/.well-known/jwks.json").header("traceparent", header).send().await;
    let named = asked(&traceparent()).await;
    let malformed = [
        String::new(),
        "nonsense".to_owned(),
        format!("00-{}-{PARENT}-01", "0".repeat(32)),
        format!("00-{}-{PARENT}-01", &TRACE[1..]),
        format!("00-{TRACE}-{}-01", "0".repeat(16)),
        format!("00-{TRACE}x-{PARENT}-01"),
        format!("ff-{TRACE}-{PARENT}-01"),
    ];
    let mut ignored = Vec::new();
    for header in &malformed {
        ignored.push(asked(header).await);
    }
    server.stop();
    let logs = deployment.logs();
    assert_eq!(lines_of(&logs, &named)[0]["span"]["trace_id"], TRACE);
    for (response, header) in ignored.iter().zip(&malformed) {
        assert_eq!(response.status, 200);
        assert_eq!(lines_of(&logs, response)[0]["span"]["trace_id"], Value::Null, "{header}");
    }
}

fn attributes(span: &Span) -> BTreeMap<String, String> {
    let text = |value: &any_value::Value| match value {
        any_value::Value::StringValue(text) => text.clone(),
        other => format!("{other:?}"),
    };
    let pairs = span.attributes.iter();
    pairs.map(|pair| (pair.key.clone(), pair.value.iter().flat_map(|value| &value.value).map(text).collect())).collect()
}

#[apply(trial)]
async fn spans_are_sent_to_the_collector() {
    let (sender, sent) = mpsc::channel();
    let url = collector::start(move |spans| sender.send(spans.to_vec()).unwrap());
    let deployment = Deployment::new().await;
    let mut command = deployment.command();
    command.env("VESTIBULE_TRACES__ENDPOINT", url);
    let server = Server::start(command);
    server.register("john").await;
    let body = json!({ "username": "john", "password": PASSWORD });
    let login = server.call("POST", "/login").header("traceparent", traceparent()).json(&body).send().await;
    let tokens = Tokens::of(&login);
    // The server sends the last spans before it exits.
    server.stop();
    let mut spans = Vec::new();
    for resource in sent.try_iter().flatten() {
        let about = format!("{:?}", resource.resource);
        assert!(about.contains("\"service.name\"") && about.contains("\"vestibule\""), "{about}");
        spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
    }
    let text = format!("{spans:?}");
    for secret in [PASSWORD, &tokens.access, &tokens.refresh] {
        assert!(!text.contains(secret), "{secret}");
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let of_trace = spans.iter().filter(|span| hex(&span.trace_id) == TRACE).collect::<Vec<_>>();
    let root = of_trace.iter().find(|span| span.name == "POST /login").unwrap();
    assert_eq!(hex(&root.parent_span_id), PARENT);
    let about = attributes(root);
    let claims = forge::decode_part(&tokens.access, 1);
    assert_eq!(about["request.id"], login.header("x-request-id"));
    assert_eq!(
        (about["operation"].as_str(), &about["user.id"]),
        ("login", &claims["sub"].as_str().unwrap().to_owned())
    );
    assert_eq!(about["session.id"], claims["sid"].as_str().unwrap());
    assert_eq!((about["http.route"].as_str(), about["http.request.method"].as_str()), ("/login", "POST"));
    assert_eq!((about["http.response.status_code"].as_str(), root.kind()), ("IntValue(200)", SpanKind::Server));
    let inner = of_trace.iter().filter(|span| span.parent_span_id == root.span_id);
    let names = inner.map(|span| span.name.as_str()).collect::<BTreeSet<_>>();
    assert_eq!(names, ["hash", "query", "transaction"].into());
    // The log line is part of the trace too. So are log lines of requests without a `traceparent`.
    assert_eq!(lines_of(&deployment.logs(), &login)[0]["span"]["trace_id"], TRACE);
    let registered = spans.iter().find(|span| attributes(span).get("operation").is_some_and(|name| name == "register"));
    assert!(deployment.logs().contains(&hex(&registered.unwrap().trace_id)));
}

#[apply(trial)]
async fn unreachable_collector_delays_no_request() {
    let deployment = Deployment::new().await;
    let mut command = deployment.command();
    let unreachable = format!("http://127.0.0.1:{}", crate::support::process::unused_port());
    command.env("VESTIBULE_TRACES__ENDPOINT", unreachable);
    let server = Server::start(command);
    let begun = std::time::Instant::now();
    server.sign_up("john").await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    server.stop();
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}
