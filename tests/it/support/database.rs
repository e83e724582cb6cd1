//! Creates a database for each test, with the current schema: an SQLite file, or a database on the server that
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

/// Returns the URL of the database server, or `None` on SQLite.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting")]
pub(crate) fn server_url() -> Option<String> {
    env::var("TEST_DATABASE").ok()
}

/// Creates a database for the test in `folder` and returns its URL.
pub(crate) async fn create(folder: &TempDir) -> String {
    match server_url() {
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

/// Creates a database without a schema and returns its URL. On SQLite not even the file exists.
pub(crate) async fn create_empty(folder: &TempDir) -> String {
    let Some(server) = server_url() else {
        return format!("sqlite://{}", folder.path().join("vestibule.db").display());
    };
    let name = new_name();
    let (base, any) = match server.rsplit_once('/') {
        Some((base, database)) if server.starts_with("postgres") => (base, database),
        _ => (server.as_str(), "mysql"),
    };
    execute(&format!("{base}/{any}"), &format!("CREATE DATABASE {name}")).await;
    format!("{base}/{name}")
}

/// Returns the name of the database that the tests run on.
pub(crate) fn engine() -> &'static str {
    match server_url() {
        None => "SQLite",
        Some(server) if server.starts_with("postgres") => "PostgreSQL",
        Some(_) => "MariaDB",
    }
}

/// Returns whether the tests run on this database. `Servers` means every database except SQLite.
pub(crate) fn runs_on(engine_or_servers: &str) -> bool {
    engine_or_servers == engine() || (engine_or_servers == "Servers" && server_url().is_some())
}

/// Returns a migrated SQLite file, created once and copied for each test.
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

/// Removes the files that the tests leave outside their own folders.
pub(crate) fn clean_up() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("template-{}.db", process::id()));
    // Only SQLite has a template file.
    drop(fs::remove_file(file));
}

/// Copies a template database that is migrated once. PostgreSQL makes only one copy at a time.
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
