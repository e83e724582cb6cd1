//! `/health`, and the service while it starts and while it drains.

use std::{io::Read as _, time::Duration};

use tempfile::TempDir;

use crate::support::{
    TestApp,
    app::write_master_key,
    contract::operations,
    process::{ServiceClient, unused_port, vestibule},
};

#[apply(trial)]
async fn service_is_live_and_ready() {
    let app = TestApp::new().await;
    for (path, status) in [("/health/live", "live"), ("/health/ready", "ready")] {
        let response = app.get(path).record().send().await;
        assert_eq!((response.status, response.body["status"].as_str()), (200, Some(status)));
    }
}

#[apply(trial)]
async fn starting_service_is_live_but_not_ready() {
    let app = TestApp::builder().starting().start().await;
    assert_eq!(app.get("/health/live").send().await.status, 200);
    let response = app.get("/health/ready").record().send().await;
    response.is_problem(503, "not_ready");
    assert_eq!(response.header("retry-after"), "1");
    assert!(response.body["detail"].as_str().unwrap().contains("starting"), "{response:?}");
    for path in ["/docs", "/openapi.json", "/openapi.yaml"] {
        assert_eq!(app.get(path).send().await.status, 200, "{path}");
    }
    for operation in operations().iter().filter(|operation| operation.codes.contains("unavailable")) {
        let mut call = app.call(&operation.method, &operation.url);
        if let Some(body) = &operation.example {
            call = call.json(body);
        }
        if operation.requires_token {
            call = call.bearer("any");
        }
        let response = call.record().send().await;
        response.is_problem(503, "unavailable");
        assert_eq!(response.header("retry-after"), "1", "{}", operation.id);
    }
}

#[apply(trial)]
async fn lost_database_is_reported() {
    let app = TestApp::new().await;
    app.app.db.close().await.unwrap();
    let response = app.get("/health/ready").send().await;
    response.is_problem(503, "not_ready");
    assert!(response.body["detail"].as_str().unwrap().contains("database"), "{response:?}");
    for path in ["/health/live", "/.well-known/jwks.json", "/docs", "/openapi.json"] {
        assert_eq!(app.get(path).send().await.status, 200, "{path}");
    }
}

/// A restored backup may leave the database like this under a running instance.
#[apply(trial)]
async fn restored_database_that_does_not_match_is_reported() {
    let app = TestApp::new().await;
    let told = async |app: &TestApp, part: &str| {
        let response = app.get("/health/ready").send().await;
        response.is_problem(503, "not_ready");
        assert!(response.body["detail"].as_str().unwrap().contains(part), "{response:?}");
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
async fn draining_service_serves_requests_and_closes_connections() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    assert_eq!(app.get("/.well-known/jwks.json").send().await.header("connection"), "");
    app.drain();
    let response = app.get("/health/ready").send().await;
    response.is_problem(503, "not_ready");
    assert!(response.body["detail"].as_str().unwrap().contains("stop"), "{response:?}");
    assert_eq!(app.get("/health/live").send().await.status, 200);
    let tokens = app.sign_in("john", "my_password").await;
    assert!(app.accepts(&tokens.access).await);
    assert_eq!(app.get("/.well-known/jwks.json").send().await.header("connection"), "close");
}

#[apply(trial)]
async fn server_waits_for_its_database_and_names_it() {
    let folder = TempDir::new().unwrap();
    write_master_key(&folder);
    let (port, gone) = (unused_port(), unused_port());
    let mut server = vestibule(&folder)
        .env("VESTIBULE_SERVER__LISTEN", format!("127.0.0.1:{port}"))
        .env("VESTIBULE_DATABASE__URL", format!("postgres://john:canary-secret@127.0.0.1:{gone}/accounts"))
        .env("VESTIBULE_DATABASE__START_TIMEOUT", "5s")
        .env("VESTIBULE_KEYS__MASTER_KEY_FILE", "vestibule.key")
        .spawn()
        .unwrap();
    let client = ServiceClient::new(([127, 0, 0, 1], port).into());
    while tokio::net::TcpStream::connect(client.address).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(client.get("/health/live").send().await.status, 200);
    client.get("/health/ready").send().await.is_problem(503, "not_ready");
    client.get("/.well-known/jwks.json").send().await.is_problem(503, "unavailable");
    assert_eq!(server.wait().unwrap().code(), Some(1));
    let mut log = String::new();
    server.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("cannot open the database; retrying"), "{log}");
    let reason = log.lines().last().unwrap();
    assert!(reason.contains("vestibule: database.url") && reason.contains("127.0.0.1/accounts"), "{reason}");
    assert!(reason.contains("Connection refused"), "the cause is shown: {reason}");
    assert!(!log.contains("canary-secret"), "{log}");
}
