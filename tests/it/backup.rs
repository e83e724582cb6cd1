//! Backups of SQLite: `vestibule backup` and `vestibule restore`, and commands in a folder without a database.

use std::{
    fs,
    io::{Seek as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Output,
};

use sea_orm::ConnectionTrait as _;
use tempfile::TempDir;

use crate::support::process::{Server, vestibule};

fn run(folder: &TempDir, arguments: &[&str]) -> Output {
    vestibule(folder).args(arguments).output().unwrap()
}

/// Returns what a command prints if it succeeds.
fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Checks that a command fails with this exit code, and that its error contains `part`.
fn assert_fails(output: &Output, code: i32, part: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(part), "{part:?} in {text}");
}

fn names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

fn users(folder: &TempDir) -> usize {
    stdout(&run(folder, &["user", "list"])).lines().count()
}

/// Returns a folder with a database with one user, john, a backup of it in `copy.db`, and another user since then. The
/// second user is only in the `-wal` file, because the server was killed.
async fn folder_with_backup() -> TempDir {
    let folder = TempDir::new().unwrap();
    let server = Server::start(vestibule(&folder));
    assert_eq!(server.register("john").await.status, 201);
    stdout(&run(&folder, &["backup", "copy.db"]));
    assert_eq!(server.register("jane").await.status, 201);
    server.kill();
    folder
}

async fn change(file: &Path, statement: &str) {
    let db = vestibule::store::connect(&format!("sqlite://{}", file.display()).into(), 1).await.unwrap();
    db.execute_unprepared(statement).await.unwrap();
    db.close().await.unwrap();
}

fn replaced(folder: &TempDir) -> Vec<PathBuf> {
    let kept = |name: &String| name.contains(".replaced-") && !name.ends_with("-wal");
    names(folder).into_iter().filter(kept).map(|name| folder.path().join(name)).collect()
}

#[apply(trial)]
#[on(SQLite)]
async fn backup_of_a_running_server_is_complete_and_private() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(vestibule(&folder));
    assert_eq!(server.register("john").await.status, 201);
    let printed = stdout(&run(&folder, &["backup", "copy.db"]));
    assert!(printed.contains("copy.db") && printed.contains("vestibule.key"), "{printed}");
    let copy = folder.path().join("copy.db");
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert_fails(&run(&folder, &["backup", "copy.db"]), 1, "already exists");
    assert_fails(&run(&folder, &["backup", "nowhere/copy.db"]), 1, "nowhere");

    // It needs no other file but the master key.
    let other = TempDir::new().unwrap();
    fs::copy(copy, other.path().join("vestibule.db")).unwrap();
    fs::copy(folder.path().join("vestibule.key"), other.path().join("vestibule.key")).unwrap();
    assert_eq!(users(&other), 1);
    assert!(names(&folder).iter().all(|name| !name.contains("draft")), "{:?}", names(&folder));
}

#[apply(trial)]
#[on(SQLite)]
async fn restored_backup_is_not_undone_by_the_next_start() {
    let folder = folder_with_backup().await;
    assert!(names(&folder).contains(&"vestibule.db-wal".to_owned()));
    let printed = stdout(&run(&folder, &["restore", "copy.db"]));
    assert_eq!(users(&folder), 1);
    assert!(stdout(&run(&folder, &["audit", "verify"])).contains("none was altered"));
    let server = Server::start(vestibule(&folder));
    assert_eq!(server.register("jane").await.status, 201, "the user of the replaced database is gone");
    server.kill();

    let kept = replaced(&folder);
    assert!(kept.len() == 1 && printed.contains(kept[0].to_str().unwrap()), "{printed}");
    stdout(&run(&folder, &["restore", kept[0].to_str().unwrap()]));
    assert_eq!(users(&folder), 2, "the replaced database is complete");
    assert_eq!(replaced(&folder).len(), 2);
}

#[apply(trial)]
#[on(SQLite)]
async fn restore_works_without_a_database_and_with_a_damaged_one() {
    let folder = folder_with_backup().await;
    for file in ["vestibule.db", "vestibule.db-wal", "vestibule.db-shm"] {
        fs::remove_file(folder.path().join(file)).unwrap();
    }
    stdout(&run(&folder, &["restore", "copy.db"]));
    assert!(users(&folder) == 1 && replaced(&folder).is_empty());
    fs::write(folder.path().join("vestibule.db"), "no database").unwrap();
    stdout(&run(&folder, &["restore", "copy.db"]));
    assert_eq!(users(&folder), 1);
    assert_eq!(fs::read(&replaced(&folder)[0]).unwrap(), b"no database");
}

#[apply(trial)]
#[on(SQLite)]
async fn log_of_a_missing_database_is_not_applied_to_the_restored_one() {
    let folder = folder_with_backup().await;
    let server = Server::start(vestibule(&folder));
    assert_eq!(server.register("jack").await.status, 201);
    server.kill();
    let path = |name: &str| folder.path().join(name);
    let log = fs::read(path("vestibule.db-wal")).unwrap();
    fs::remove_file(path("vestibule.db")).unwrap();

    let printed = stdout(&run(&folder, &["restore", "copy.db"]));
    assert_eq!(users(&folder), 1, "only the user of the backup");
    let kept = names(&folder).into_iter().find(|name| name.contains("replaced")).unwrap();
    assert!(kept.ends_with("-wal") && printed.contains(&kept), "{printed}");
    assert!(fs::read(path(&kept)).unwrap() == log, "the log is kept as it was");
}

#[apply(trial)]
#[on(SQLite)]
async fn restore_is_refused_while_the_database_is_open() {
    let folder = folder_with_backup().await;
    let server = Server::start(vestibule(&folder));
    assert_fails(&run(&folder, &["restore", "copy.db"]), 1, "stop it first");
    assert_eq!(server.register("jack").await.status, 201, "nothing was changed");
    server.stop();
    stdout(&run(&folder, &["restore", "copy.db"]));
}

#[apply(trial)]
#[on(SQLite)]
async fn unusable_backups_are_rejected_before_anything_changes() {
    let folder = folder_with_backup().await;
    let path = |name: &str| folder.path().join(name);
    let copy = |name: &str| assert!(fs::copy(path("copy.db"), path(name)).unwrap() > 0);

    fs::write(path("text.db"), "no database ".repeat(1000)).unwrap();
    copy("torn.db");
    let mut torn = fs::File::options().write(true).open(path("torn.db")).unwrap();
    torn.seek(std::io::SeekFrom::Start(3 * 4096)).unwrap();
    torn.write_all(&vec![0x55; 10 * 4096]).unwrap();
    copy("altered.db");
    change(&path("altered.db"), "DELETE FROM audit_event WHERE position = 2").await;
    copy("newer.db");
    change(&path("newer.db"), "INSERT INTO seaql_migrations VALUES ('m99990101_000001_later', 1)").await;
    change(&path("foreign.db"), "CREATE TABLE other (id INTEGER)").await;

    for (file, code, part) in [
        ("text.db", 1, "not a database"),
        ("torn.db", 1, "damaged"),
        ("altered.db", 7, "event 2 was removed"),
        ("newer.db", 6, "newer version"),
        ("foreign.db", 6, "contains no keys"),
        ("missing.db", 1, "missing.db"),
        ("vestibule.db", 1, "the database itself"),
    ] {
        assert_fails(&run(&folder, &["restore", file]), code, part);
    }
    fs::rename(path("vestibule.key"), path("key")).unwrap();
    assert_fails(&run(&folder, &["restore", "copy.db"]), 6, "vestibule.key does not exist");
    fs::write(path("vestibule.key"), stdout(&run(&folder, &["keys", "generate"]))).unwrap();
    fs::set_permissions(path("vestibule.key"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_fails(&run(&folder, &["restore", "copy.db"]), 6, "master key");
    fs::rename(path("key"), path("vestibule.key")).unwrap();

    assert_eq!(users(&folder), 2, "nothing was changed");
    let left = names(&folder);
    assert!(left.iter().all(|name| !name.contains("draft") && !name.contains("replaced")), "{left:?}");
}

#[apply(trial)]
#[on(SQLite)]
async fn backup_of_an_older_schema_is_migrated() {
    let folder = folder_with_backup().await;
    let copy = folder.path().join("copy.db");
    change(&copy, "DROP TABLE job; DELETE FROM seaql_migrations WHERE version LIKE '%_jobs'").await;
    stdout(&run(&folder, &["restore", "copy.db"]));
    assert_eq!(users(&folder), 1);
}

#[apply(trial)]
#[on(SQLite)]
async fn backup_commands_name_the_tools_of_other_databases() {
    let folder = TempDir::new().unwrap();
    for (command, tool) in [("backup", "pg_dump"), ("restore", "pg_restore")] {
        let mut command = {
            let mut built = vestibule(&folder);
            built.args([command, "copy.db"]);
            built
        };
        command.env("VESTIBULE_DATABASE__URL", "postgres://john:x@db.example/accounts");
        assert_fails(&command.output().unwrap(), 6, tool);
    }
}

#[apply(trial)]
#[on(SQLite)]
async fn commands_do_not_create_a_missing_database() {
    let folder = TempDir::new().unwrap();
    for command in [
        &["user", "list"][..],
        &["user", "show", "john"],
        &["user", "delete", "john", "--yes"],
        &["audit", "list"],
        &["audit", "verify"],
        &["keys", "reset", "--yes"],
        &["backup", "copy.db"],
    ] {
        assert_fails(&run(&folder, command), 6, "vestibule.db does not exist");
    }
    assert_eq!(names(&folder), Vec::<String>::new());
}

#[apply(trial)]
#[on(SQLite)]
async fn start_does_not_replace_a_database_whose_changes_are_left() {
    let folder = folder_with_backup().await;
    let (place, elsewhere) = (folder.path().join("vestibule.db"), folder.path().join("elsewhere.db"));
    fs::rename(&place, &elsewhere).unwrap();
    assert_fails(&run(&folder, &["serve"]), 6, "vestibule.db-wal does");
    fs::rename(&elsewhere, &place).unwrap();
    assert_eq!(users(&folder), 2);
}
