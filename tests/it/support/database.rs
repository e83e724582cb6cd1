//! A database of its own for each test, with the current schema: an SQLite file, or one on the server that
//! `TEST_DATABASE` names by URL.

use std::{
    env, fs,
    path::PathBuf,
    process,
    sync::atomic::{AtomicUsize, Ordering},
};

use sea_orm::ConnectionTrait as _;
use tempfile::TempDir;
use tokio::sync::{Mutex, OnceCell};
use vestibule::store;

static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// The URL of the server, where the tests do not run on SQLite.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting")]
pub(crate) fn server() -> Option<String> {
    env::var("TEST_DATABASE").ok()
}

/// The URL of a new database for the test in `folder`.
pub(crate) async fn create(folder: &TempDir) -> String {
    match server() {
        None => {
            let file = folder.path().join("vestibule.db");
            fs::copy(template_file().await, &file).unwrap();
            format!("sqlite://{}", file.display())
        }
        Some(server) if server.starts_with("postgres") => copy_on_postgres(&server).await,
        Some(_) => {
            let url = create_empty(folder).await;
            store::migrate(&url.clone().into()).await.unwrap();
            url
        }
    }
}

/// The URL of a new database without a schema; on SQLite there is not even the file.
pub(crate) async fn create_empty(folder: &TempDir) -> String {
    let Some(server) = server() else { return format!("sqlite://{}", folder.path().join("vestibule.db").display()) };
    let name = new_name();
    let (base, any) = match server.rsplit_once('/') {
        Some((base, database)) if server.starts_with("postgres") => (base, database),
        _ => (server.as_str(), "mysql"),
    };
    execute(&format!("{base}/{any}"), &format!("CREATE DATABASE {name}")).await;
    format!("{base}/{name}")
}

/// What the tests run on, in one word.
pub(crate) fn engine() -> &'static str {
    match server() {
        None => "SQLite",
        Some(server) if server.starts_with("postgres") => "PostgreSQL",
        Some(_) => "MariaDB",
    }
}

/// Whether the tests run on this database; `Servers` are all but SQLite.
pub(crate) fn runs_on(engine_or_servers: &str) -> bool {
    engine_or_servers == engine() || (engine_or_servers == "Servers" && server().is_some())
}

/// Migrated once, copied for each test.
async fn template_file() -> &'static PathBuf {
    static TEMPLATE: OnceCell<PathBuf> = OnceCell::const_new();
    let make = || async {
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("template-{}.db", process::id()));
        let url = format!("sqlite://{}", file.display());
        store::migrate(&url.clone().into()).await.unwrap();
        execute(&url, "PRAGMA wal_checkpoint(TRUNCATE)").await;
        file
    };
    TEMPLATE.get_or_init(make).await
}

/// Removes what the tests leave outside their own folders.
pub(crate) fn clean_up() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("template-{}.db", process::id()));
    // Only SQLite leaves one.
    drop(fs::remove_file(file));
}

/// Copied from a template that is migrated once; PostgreSQL makes one copy at a time.
async fn copy_on_postgres(server: &str) -> String {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
    let (base, _) = server.rsplit_once('/').unwrap();
    let make = || async {
        let name = new_name();
        execute(server, &format!("CREATE DATABASE {name}")).await;
        store::migrate(&format!("{base}/{name}").into()).await.unwrap();
        name
    };
    let template = TEMPLATE.get_or_init(make).await;
    let name = new_name();
    let one = ONE_AT_A_TIME.lock().await;
    execute(server, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
    drop(one);
    format!("{base}/{name}")
}

fn new_name() -> String {
    format!("test_{}_{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

async fn execute(url: &str, statement: &str) {
    let db = store::connect(&url.to_owned().into(), 1).await.unwrap();
    db.execute_unprepared(statement).await.unwrap();
    db.close().await.unwrap();
}
