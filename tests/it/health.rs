//! `/health`, and the service before it serves and while it leaves.

use std::{io::Read as _, time::Duration};

use tempfile::TempDir;

use crate::support::{
    TestApp,
    app::write_key,
    contract::operations,
    process::{Remote, unused_port, vestibule},
};

#[apply(trial)]
async fn service_is_live_and_ready() {
    let app = TestApp::new().await;
    for (path, status) in [("/health/live", "live"), ("/health/ready", "ready")] {
        let answer = app.get(path).record().send().await;
        assert_eq!((answer.status, answer.body["status"].as_str()), (200, Some(status)));
    }
}

#[apply(trial)]
async fn starting_service_is_live_and_refuses_the_rest() {
    let app = TestApp::builder().starting().start().await;
    assert_eq!(app.get("/health/live").send().await.status, 200);
    let answer = app.get("/health/ready").record().send().await;
    answer.is_problem(503, "not_ready");
    assert_eq!(answer.header("retry-after"), "1");
    assert!(answer.body["detail"].as_str().unwrap().contains("starting"), "{answer:?}");
    for path in ["/docs", "/openapi.json", "/openapi.yaml"] {
        assert_eq!(app.get(path).send().await.status, 200, "{path}");
    }
    for operation in operations().iter().filter(|operation| operation.codes.contains("unavailable")) {
        let mut call = app.call(&operation.method, &operation.url);
        if let Some(body) = &operation.example {
            call = call.json(body);
        }
        if operation.wants_token {
            call = call.bearer("any");
        }
        let answer = call.record().send().await;
        answer.is_problem(503, "unavailable");
        assert_eq!(answer.header("retry-after"), "1", "{}", operation.id);
    }
}

#[apply(trial)]
async fn lost_database_is_told() {
    let app = TestApp::new().await;
    app.app.db.close().await.unwrap();
    let answer = app.get("/health/ready").send().await;
    answer.is_problem(503, "not_ready");
    assert!(answer.body["detail"].as_str().unwrap().contains("database"), "{answer:?}");
    for path in ["/health/live", "/.well-known/jwks.json", "/docs", "/openapi.json"] {
        assert_eq!(app.get(path).send().await.status, 200, "{path}");
    }
}

/// As a backup may leave it beneath a running instance.
#[apply(trial)]
async fn database_that_was_put_back_is_told() {
    let app = TestApp::new().await;
    let told = async |app: &TestApp, part: &str| {
        let answer = app.get("/health/ready").send().await;
        answer.is_problem(503, "not_ready");
        assert!(answer.body["detail"].as_str().unwrap().contains(part), "{answer:?}");
    };
    app.sql("UPDATE seaql_migrations SET version = 'x' WHERE version LIKE '%_audit_log'").await;
    told(&app, "not migrated").await;
    app.sql("UPDATE seaql_migrations SET version = 'm20261127_000004_audit_log' WHERE version = 'x'").await;
    assert_eq!(app.get("/health/ready").send().await.status, 200);
    for purpose in ["signing", "refresh", "pseudonym", "audit"] {
        let app = TestApp::new().await;
        app.sql(&format!("DELETE FROM sealed_key WHERE purpose = '{purpose}'")).await;
        told(&app, "keys").await;
    }
}

#[apply(trial)]
async fn leaving_service_serves_and_sends_clients_elsewhere() {
    let app = TestApp::new().await;
    app.user("john", "my_password").await;
    assert_eq!(app.get("/.well-known/jwks.json").send().await.header("connection"), "");
    app.leave();
    let answer = app.get("/health/ready").send().await;
    answer.is_problem(503, "not_ready");
    assert!(answer.body["detail"].as_str().unwrap().contains("stop"), "{answer:?}");
    assert_eq!(app.get("/health/live").send().await.status, 200);
    let tokens = app.sign_in("john", "my_password").await;
    assert!(app.knows(&tokens.access).await);
    assert_eq!(app.get("/.well-known/jwks.json").send().await.header("connection"), "close");
}

#[apply(trial)]
async fn server_waits_for_its_database_and_tells_which() {
    let folder = TempDir::new().unwrap();
    write_key(&folder);
    let (port, gone) = (unused_port(), unused_port());
    let mut server = vestibule(&folder)
        .env("VESTIBULE_SERVER__LISTEN", format!("127.0.0.1:{port}"))
        .env("VESTIBULE_DATABASE__URL", format!("postgres://john:canary-secret@127.0.0.1:{gone}/accounts"))
        .env("VESTIBULE_DATABASE__START_TIMEOUT", "5s")
        .env("VESTIBULE_KEYS__MASTER_KEY_FILE", "vestibule.key")
        .spawn()
        .unwrap();
    let remote = Remote::new(([127, 0, 0, 1], port).into());
    while tokio::net::TcpStream::connect(remote.address).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(remote.get("/health/live").send().await.status, 200);
    remote.get("/health/ready").send().await.is_problem(503, "not_ready");
    remote.get("/.well-known/jwks.json").send().await.is_problem(503, "unavailable");
    assert_eq!(server.wait().unwrap().code(), Some(1));
    let mut log = String::new();
    server.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("cannot open the database; retrying"), "{log}");
    let reason = log.lines().last().unwrap();
    assert!(reason.contains("vestibule: database.url") && reason.contains("127.0.0.1/accounts"), "{reason}");
    assert!(!log.contains("canary-secret"), "{log}");
}
