//! The limits on database connections and statements.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use rustix::process::{Resource, Rlimit, prlimit};
use sea_orm::{ConnectionTrait as _, DatabaseBackend, Statement};
use serde_json::json;
use vestibule::{
    domain::admin::users::{ChangeUserError, find_user},
    store,
};

use crate::support::{
    TestApp,
    process::{Deployment, Server},
};

/// Returns the database's ID of the only connection.
async fn connection_id(app: &TestApp, statement: &str) -> i64 {
    let statement = Statement::from_string(app.app.db.get_database_backend(), statement);
    app.app.db.query_one_raw(statement).await.unwrap().unwrap().try_get("", "id").unwrap()
}

#[apply(trial)]
#[on(Servers)]
async fn overdue_statement_is_abandoned_and_its_connection_closed() {
    let app = TestApp::builder().setting("database.max_connections", "1").start().await;
    let (id, sleep) = match app.app.db.get_database_backend() {
        DatabaseBackend::Postgres => ("SELECT CAST(pg_backend_pid() AS BIGINT) AS id", "SELECT pg_sleep(2.7)"),
        _ => ("SELECT CAST(CONNECTION_ID() AS SIGNED) AS id", "SELECT SLEEP(2.7)"),
    };
    let before = connection_id(&app, id).await;
    assert_eq!(connection_id(&app, id).await, before, "the connection is reused");
    let begun = Instant::now();
    let error = app.app.db.execute_unprepared(sleep).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(error.to_string().contains("did not respond within 2500 ms"), "{error}");
    assert_ne!(
        connection_id(&app, id).await,
        before,
        "the connection must not be reused, although the database responds a moment later"
    );
}

/// Behind a connection pooler, the second connection gets the session of the first one.
#[apply(trial)]
#[on(Servers)]
async fn database_ends_long_statements_and_lock_waits() {
    let app = TestApp::new().await;
    let connect = async || store::connect(app.config.database.url.secret(), 1).await.unwrap();
    let first = connect().await;
    let postgres = first.get_database_backend() == DatabaseBackend::Postgres;
    let unlimited = if postgres {
        "SET lock_timeout = 0; SET statement_timeout = 0"
    } else {
        "SET SESSION innodb_lock_wait_timeout = 60, max_statement_time = 0"
    };
    first.execute_unprepared(unlimited).await.unwrap();
    first.close().await.unwrap();

    let (holder, waiter) = (connect().await, connect().await);
    holder.execute_unprepared("BEGIN").await.unwrap();
    let lock = "UPDATE job SET due_at = 1";
    app.sql("INSERT INTO job (name, due_at) VALUES ('planted', 1)").await;
    holder.execute_unprepared(lock).await.unwrap();
    let begun = Instant::now();
    let error = waiter.execute_unprepared(lock).await.unwrap_err();
    assert!(store::is_conflict(&error), "{error}");
    assert!((800..2500).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    holder.execute_unprepared("ROLLBACK").await.unwrap();

    let begun = Instant::now();
    let sleep =
        if postgres { "SELECT pg_sleep(10)" } else { "SELECT COUNT(*) FROM seq_1_to_100000 a, seq_1_to_100000 b" };
    let error = waiter.execute_unprepared(sleep).await.unwrap_err();
    assert!(store::is_unavailable(&error), "{error}");
    assert!((2800..6000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
}

/// A pooler that is switched to transaction mode under a running service gives a connection the session of another one,
/// which lacks its prepared statements.
#[apply(trial)]
#[on(PostgreSQL)]
async fn session_of_another_connection_is_reported_as_unavailable() {
    let start = async || {
        let app = TestApp::builder().setting("database.max_connections", 1).start().await;
        app.create_user("john", "my_password").await;
        app
    };
    let app = start().await;
    let tokens = app.sign_in("john", "my_password").await;
    assert!(app.accepts(&tokens.access).await);
    app.app.db.execute_unprepared("DEALLOCATE ALL").await.unwrap();
    app.get("/me").bearer(&tokens.access).send().await.is_problem(503, "unavailable");
    // The connection is replaced, at the latest when it fails again.
    while app.get("/me").bearer(&tokens.access).send().await.status != 200 {}

    let app = start().await;
    find_user(&app.app, "john").await.unwrap();
    app.app.db.execute_unprepared("DEALLOCATE ALL").await.unwrap();
    let error = find_user(&app.app, "john").await.unwrap_err();
    let ChangeUserError::Service(error) = error else { panic!("{error}") };
    assert!(error.chain().contains("set pool_mode = session"), "{}", error.chain());

    // A statement of another connection, with the same name and other parameters.
    let app = start().await;
    find_user(&app.app, "john").await.unwrap();
    let all = "DO $$ BEGIN FOR number IN 1..50 LOOP EXECUTE format('PREPARE sqlx_s_%s AS SELECT 1', number); END LOOP; END $$";
    app.app.db.execute_unprepared(&format!("DEALLOCATE ALL; {all}")).await.unwrap();
    let error = find_user(&app.app, "john").await.unwrap_err();
    let ChangeUserError::Service(error) = error else { panic!("{error}") };
    assert!(error.chain().contains("set pool_mode = session"), "{}", error.chain());
}

#[apply(trial)]
#[on(SQLite)]
async fn failed_writes_release_the_lock_of_a_full_database() {
    let deployment = Deployment::new().await;
    let running = Server::start(deployment.command_under(&["sh", "-c", "trap '' XFSZ; exec \"$0\""]));
    let register = async |name: &str| {
        let body = json!({ "username": name, "password": "my_password" });
        running.call("POST", "/register").json(&body).send().await
    };
    assert_eq!(register("john").await.status, 201);
    let limited = |size| Rlimit { current: size, maximum: None };
    prlimit(Some(running.pid()), Resource::Fsize, limited(Some(200_000))).unwrap();
    let (mut failures, mut number) = (0, 0);
    while failures < 8 {
        assert!(number < 1000, "the file size limit has no effect");
        let begun = Instant::now();
        let response = register(&format!("john{number}")).await;
        failures += usize::from(response.status == 503);
        number += 1;
        assert!(begun.elapsed() < Duration::from_secs(4), "no one must hold the write lock");
    }
    let other = deployment.connect().await;
    other.execute_unprepared("BEGIN IMMEDIATE; COMMIT").await.unwrap();
    prlimit(Some(running.pid()), Resource::Fsize, limited(None)).unwrap();
    assert_eq!(register("jane").await.status, 201);
}

#[apply(trial)]
#[on(SQLite)]
async fn waiting_writers_do_not_block_readers() {
    let app =
        TestApp::builder().setting("database.max_connections", 2).setting("passwords.queue_length", 100).start().await;
    app.create_user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    let other = store::connect(app.config.database.url.secret(), 1).await.unwrap();
    other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    let body = json!({ "username": "john", "password": "my_password" });
    let writers = join_all((0..8).map(|_| app.post("/login").json(&body).send()));
    let reader = async {
        for _ in 0..20 {
            assert!(app.accepts(&tokens.access).await);
            tokio::task::yield_now().await;
        }
        other.execute_unprepared("COMMIT").await.unwrap();
    };
    let (responses, ()) = join(writers, reader).await;
    assert!(responses.iter().all(|response| response.status == 200), "{responses:?}");
}
