//! The bounds on what is done with the database.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use sea_orm::{ConnectionTrait as _, DatabaseBackend, Statement};
use serde_json::json;
use vestibule::domain::database;

use crate::support::TestApp;

crate::trials![
    overdue_work_is_left_and_its_connection_closed,
    full_database_is_not_held_by_what_failed,
    waiting_writers_hold_no_reader_up,
];

/// The only connection's identifier, as the database knows it.
async fn connection(app: &TestApp, statement: &str) -> i64 {
    let statement = Statement::from_string(app.app.db.get_database_backend(), statement);
    app.app.db.query_one_raw(statement).await.unwrap().unwrap().try_get("", "id").unwrap()
}

async fn overdue_work_is_left_and_its_connection_closed() {
    let app = TestApp::builder().with(|config| config.database.max_connections = 1).start().await;
    let (id, sleep) = match app.app.db.get_database_backend() {
        DatabaseBackend::Postgres => ("SELECT CAST(pg_backend_pid() AS BIGINT) AS id", "SELECT pg_sleep(2.7)"),
        DatabaseBackend::Sqlite => {
            // Its statements cannot hang but for a writer in another process, which has a bound of its own.
            return;
        }
        _ => ("SELECT CAST(CONNECTION_ID() AS SIGNED) AS id", "SELECT SLEEP(2.7)"),
    };
    let before = connection(&app, id).await;
    assert_eq!(connection(&app, id).await, before, "a connection is kept");
    let begun = Instant::now();
    let error = app.app.db.execute_unprepared(sleep).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(error.to_string().contains("did not answer within 2500 ms"), "{error}");
    assert_ne!(connection(&app, id).await, before, "not even one that answers a moment later");
}

async fn full_database_is_not_held_by_what_failed() {
    let app = TestApp::builder().with(|config| config.database.max_connections = 1).start().await;
    if app.app.db.get_database_backend() != DatabaseBackend::Sqlite {
        // Others need a disk that is full.
        return;
    }
    let body = json!({ "username": "john", "password": "my_password" });
    assert_eq!(app.post("/register").json(&body).send().await.status, 201);
    // As many pages as there are, which holds for this connection alone.
    app.sql("PRAGMA max_page_count = 1").await;
    let mut refused = 0;
    for number in 0..100 {
        let body = json!({ "username": format!("{number}{}", "x".repeat(55)), "password": "my_password" });
        let answer = app.post("/register").json(&body).send().await;
        if answer.status == 503 {
            answer.is_problem(503, "unavailable");
            refused += 1;
        }
    }
    assert!(refused > 0, "the database was full");
    let other = database::connect(&app.config.database.url, 1).await.unwrap();
    let begun = Instant::now();
    other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "nobody held it");
    other.execute_unprepared("COMMIT").await.unwrap();
    assert_eq!(app.post("/login").json(&body).send().await.status, 200);
}

async fn waiting_writers_hold_no_reader_up() {
    let app = TestApp::builder()
        .with(|config| {
            config.database.max_connections = 2;
            config.passwords.queue_length = Some(100);
        })
        .start()
        .await;
    if app.app.db.get_database_backend() != DatabaseBackend::Sqlite {
        // Writers wait for rows there, and no longer than a second.
        return;
    }
    app.user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    let other = database::connect(&app.config.database.url, 1).await.unwrap();
    other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    let body = json!({ "username": "john", "password": "my_password" });
    let writers = join_all((0..8).map(|_| app.post("/login").json(&body).send()));
    let reader = async {
        for _ in 0..20 {
            assert!(app.knows(&tokens.access).await);
            tokio::task::yield_now().await;
        }
        other.execute_unprepared("COMMIT").await.unwrap();
    };
    let (answers, ()) = join(writers, reader).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
}
