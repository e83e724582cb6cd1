//! Writes that conflict with another writer are retried. If the conflict lasts, the service responds 503 with
//! `Retry-After`.

use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DatabaseBackend, DatabaseConnection};
use serde_json::json;
use vestibule::store;

use crate::support::{TestApp, app::Tokens, client::TestResponse};

/// How often the service attempts a write.
const ATTEMPTS: i64 = 6;

/// The operations of a client, with the kind of write and the table.
const WRITES: [(&str, &str, &str); 5] = [
    ("login", "INSERT", "session"),
    ("refresh", "UPDATE", "session"),
    ("logout", "DELETE", "session"),
    ("register", "INSERT", "user"),
    ("password", "UPDATE", "user"),
];

/// Returns a service with one connection, on which SQLite does not wait for locks.
async fn app_with_one_connection() -> (TestApp, Tokens) {
    let app = TestApp::builder().setting("database.max_connections", "1").start().await;
    if app.app.db.get_database_backend() == DatabaseBackend::Sqlite {
        app.sql("PRAGMA busy_timeout = 0").await;
    }
    app.create_user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    (app, tokens)
}

async fn write(app: &TestApp, tokens: &Tokens, what: &str) -> TestResponse {
    let user = |name: &str| json!({ "username": name, "password": "my_password" });
    let call = match what {
        "login" => app.post("/login").json(&user("john")),
        "refresh" => app.post("/token/refresh").json(&json!({ "refresh_token": tokens.refresh })),
        "logout" => app.post("/logout").bearer(&tokens.access),
        "register" => app.post("/register").json(&user("jane")),
        _ => {
            let body = json!({ "current_password": "my_password", "new_password": "a better password" });
            app.post("/me/password").bearer(&tokens.access).json(&body)
        }
    };
    call.send().await
}

/// Returns the error codes for a conflicting transaction. SQLite has none that a statement can raise.
fn conflict_errors(backend: DatabaseBackend) -> &'static [&'static str] {
    match backend {
        DatabaseBackend::Postgres => &["40001", "40P01"],
        DatabaseBackend::Sqlite => &[],
        _ => &["1213", "1205", "1020"],
    }
}

/// Makes the first `times` writes fail with this error. A sequence counts them, because it survives rollbacks.
async fn inject_error(app: &TestApp, event: &str, table: &str, error: &str, times: i64) {
    let row = if event == "DELETE" { "OLD" } else { "NEW" };
    if app.app.db.get_database_backend() == DatabaseBackend::Postgres {
        app.sql("CREATE SEQUENCE tries").await;
        app.sql(&format!(
            "CREATE FUNCTION fail() RETURNS trigger AS $$ BEGIN IF nextval('tries') <= {times} THEN \
             RAISE EXCEPTION 'injected' USING ERRCODE = '{error}'; END IF; RETURN {row}; END $$ LANGUAGE plpgsql"
        ))
        .await;
        let action = format!("BEFORE {event} ON \"{table}\" FOR EACH ROW EXECUTE FUNCTION fail()");
        app.sql(&format!("CREATE TRIGGER injected {action}")).await;
    } else {
        app.sql("CREATE SEQUENCE tries CACHE 1").await;
        app.sql(&format!(
            "CREATE TRIGGER injected BEFORE {event} ON \"{table}\" FOR EACH ROW IF NEXTVAL(tries) <= {times} THEN \
             SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = {error}, MESSAGE_TEXT = 'injected'; END IF"
        ))
        .await;
    }
}

/// Returns how often the failing write was reached.
async fn count_attempts(app: &TestApp) -> i64 {
    let backend = app.app.db.get_database_backend();
    let column = if backend == DatabaseBackend::Postgres { "last_value" } else { "next_not_cached_value" };
    let statement = sea_orm::Statement::from_string(backend, format!("SELECT {column} AS n FROM tries"));
    let value: i64 = app.app.db.query_one_raw(statement).await.unwrap().unwrap().try_get("", "n").unwrap();
    if backend == DatabaseBackend::Postgres { value } else { value - 1 }
}

#[apply(trial)]
async fn conflicting_writes_are_retried() {
    for (what, event, table) in WRITES {
        let (app, tokens) = app_with_one_connection().await;
        for error in conflict_errors(app.app.db.get_database_backend()) {
            let (app, tokens) = app_with_one_connection().await;
            inject_error(&app, event, table, error, ATTEMPTS - 1).await;
            let response = write(&app, &tokens, what).await;
            assert!((200..300).contains(&response.status), "{what}, {error}: {response:?}");
            assert_eq!(count_attempts(&app).await, ATTEMPTS, "{what}, {error}");
        }
        if let Some(other) = other_writer(&app).await {
            let release = async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                other.execute_unprepared("ROLLBACK").await.unwrap();
            };
            let (response, ()) = futures_util::future::join(write(&app, &tokens, what), release).await;
            assert!((200..300).contains(&response.status), "{what}: {response:?}");
        }
    }
}

#[apply(trial)]
async fn number_of_retries_is_limited() {
    for (what, event, table) in WRITES {
        let (app, tokens) = app_with_one_connection().await;
        let backend = app.app.db.get_database_backend();
        let other = other_writer(&app).await;
        if other.is_none() {
            inject_error(&app, event, table, conflict_errors(backend)[0], i64::from(i32::MAX)).await;
        }
        let response = write(&app, &tokens, what).await;
        response.is_problem(503, "unavailable");
        assert_eq!(response.header("retry-after"), "1");
        if other.is_none() {
            assert_eq!(count_attempts(&app).await, ATTEMPTS, "{what}");
            app.sql(&format!(
                "DROP TRIGGER injected {}",
                if backend == DatabaseBackend::Postgres { format!("ON \"{table}\"") } else { String::new() }
            ))
            .await;
        }
        drop(other);
        assert_eq!((app.count("user").await, app.count("session").await), (1, 1), "{what}: nothing must change");
        assert!(app.accepts(&tokens.access).await);
    }
}

#[apply(trial)]
async fn other_errors_are_not_retried() {
    let (app, tokens) = app_with_one_connection().await;
    let error = match app.app.db.get_database_backend() {
        DatabaseBackend::Postgres => "P0001",
        DatabaseBackend::Sqlite => {
            app.sql("CREATE TRIGGER injected BEFORE INSERT ON session BEGIN SELECT RAISE(ABORT, 'injected'); END")
                .await;
            write(&app, &tokens, "login").await.is_problem(500, "internal");
            return;
        }
        _ => "1644",
    };
    inject_error(&app, "INSERT", "session", error, 1).await;
    write(&app, &tokens, "login").await.is_problem(500, "internal");
    assert_eq!(count_attempts(&app).await, 1);
}

/// On SQLite, returns a connection that holds the write lock until it is dropped or rolls back.
async fn other_writer(app: &TestApp) -> Option<DatabaseConnection> {
    let file = app.config.database.file()?;
    let other = store::connect(&format!("sqlite://{}", file.display()).into(), 1).await.unwrap();
    other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    Some(other)
}

/// With the default settings SQLite waits for the lock itself. On the other databases the connection locks the user
/// row.
#[apply(trial)]
async fn write_waits_for_another_writer() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let other = store::connect(app.config.database.url.secret(), 1).await.unwrap();
    if app.config.database.file().is_some() {
        other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    } else {
        other.execute_unprepared("BEGIN").await.unwrap();
        let quote = if other.get_database_backend() == DatabaseBackend::MySql { "`" } else { "\"" };
        other.execute_unprepared(&format!("UPDATE {quote}user{quote} SET state = 'active'")).await.unwrap();
        other.execute_unprepared(&format!("SELECT * FROM {quote}user{quote} FOR UPDATE")).await.unwrap();
    }
    let release = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        other.execute_unprepared("COMMIT").await.unwrap();
    };
    let ((), tokens) = futures_util::future::join(release, app.sign_in("john", "my_password")).await;
    assert!(app.accepts(&tokens.access).await);
}
