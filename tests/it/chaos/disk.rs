//! Full disks, and read-only files and databases.

use std::{
    env,
    fs::{self, File, Permissions},
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use sea_orm::{ConnectionTrait as _, DatabaseBackend, DatabaseConnection};
use tokio::time::sleep;
use vestibule::store;

use super::{
    simulated_user::{EXPECTED_OR_503, Tally},
    traffic::{Readers, SimulatedUsers, wait_until_ready},
};
use crate::support::{
    database_server::DatabaseServer,
    process::{Deployment, Server},
    results::ResultRow,
    rounds,
};

const USERS: usize = 16;
const RECOVERY_LIMIT: Duration = Duration::from_secs(5);

/// Returns how long the disk is full or the database is read-only.
fn outage() -> Duration {
    Duration::from_secs(rounds(4, 30) as u64)
}

/// Returns the small volume that holds the database.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting")]
fn volume() -> PathBuf {
    env::var_os("TEST_VOLUME").expect("TEST_VOLUME must name the small volume").into()
}

/// A file that fills the volume.
struct Ballast(PathBuf);

impl Ballast {
    fn fill(volume: &Path) -> Self {
        let path = volume.join("ballast");
        let mut file = File::create(&path).unwrap();
        let block = vec![0; 1 << 20];
        while file.write_all(&block).is_ok() {}
        while file.write_all(&[0]).is_ok() {}
        Self(path)
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

/// Uses up the space that the database has preallocated, so that it needs the disk.
async fn use_up_preallocated_space(db: &DatabaseConnection) {
    let insert = format!("INSERT INTO filler VALUES ('{}')", "x".repeat(100_000));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        match tokio::time::timeout(Duration::from_secs(2), db.execute_unprepared(&insert)).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
    panic!("the disk is not full");
}

/// Adds the row of an outage, and asserts what must hold after every outage.
fn write_result(scenario: &'static str, tally: &Tally, recovery: Duration, notes: String) {
    let result = ResultRow { recovery: Some(recovery), notes, ..tally.result_row("R8", scenario, 1) };
    result.write();
    tally.assert_consistent();
    assert!(tally.responses_503().count() > 0, "no request was rejected during the outage");
    tally.assert_statuses(&EXPECTED_OR_503);
    assert!(recovery < RECOVERY_LIMIT, "{recovery:?}");
}

#[apply(trial)]
async fn service_survives_a_full_disk_r8() {
    let volume = volume();
    let deployment = Deployment::new_in(&volume).await.with_fixed_port();
    let server = Server::start(deployment.command());
    let client = server.client();
    let db = deployment.connect().await;
    let mysql = db.get_database_backend() == DatabaseBackend::MySql;
    let text = if mysql { "MEDIUMTEXT" } else { "TEXT" };
    db.execute_unprepared(&format!("CREATE TABLE filler (line {text})")).await.unwrap();
    let readers = Readers::start(&client);
    let users = SimulatedUsers::start(&client, "user", USERS);
    sleep(Duration::from_secs(1)).await;
    let ballast = Ballast::fill(&volume);
    use_up_preallocated_space(&db).await;
    sleep(outage()).await;
    drop(ballast);
    let restored = Instant::now();
    if let Some(database) = DatabaseServer::find()
        && !database.is_running()
    {
        // PostgreSQL exits when it has no room for its write-ahead log, and has to be restarted.
        database.start();
    }
    wait_until_ready(&client, restored).await;
    sleep(Duration::from_secs(1)).await;
    let tally = users.verify_acknowledged(&client).await;
    readers.end().await;
    server.stop();
    let damage = super::kill::find_damage(&deployment.connect().await).await;
    let recovery = tally.last_503_after(restored);
    write_result("disk full", &tally, recovery, format!("{} s; the database reports no damage", outage().as_secs()));
    assert_eq!(damage, None);
}

/// A server that rejects writes, like one that has become a replica.
#[apply(trial)]
#[on(Servers)]
async fn service_survives_a_read_only_database_r8() {
    let deployment = Deployment::new().await.with_fixed_port();
    let server = Server::start(deployment.command());
    let client = server.client();
    // On PostgreSQL the default user may change this setting.
    let operator = deployment.url.replace("mysql://vestibule:", "mysql://operator:");
    let operator = store::connect(&operator.into(), 1).await.unwrap();
    let postgres = operator.get_database_backend() == DatabaseBackend::Postgres;
    let set = |on: bool| match (postgres, on) {
        (true, true) => "ALTER SYSTEM SET default_transaction_read_only = on",
        (true, false) => "SET default_transaction_read_only = off; ALTER SYSTEM RESET default_transaction_read_only",
        (false, true) => "SET GLOBAL read_only = ON",
        (false, false) => "SET GLOBAL read_only = OFF",
    };
    let switch = async |on: bool| {
        for statement in set(on).split("; ") {
            operator.execute_unprepared(statement).await.unwrap();
        }
        if postgres {
            operator.execute_unprepared("SELECT pg_reload_conf()").await.unwrap();
        }
    };
    let readers = Readers::start(&client);
    let users = SimulatedUsers::start(&client, "user", USERS);
    sleep(Duration::from_secs(1)).await;
    switch(true).await;
    sleep(outage()).await;
    let restored = Instant::now();
    switch(false).await;
    sleep(Duration::from_secs(2)).await;
    let tally = users.verify_acknowledged(&client).await;
    readers.end().await;
    let recovery = tally.last_503_after(restored);
    write_result("database read-only", &tally, recovery, format!("{} s", outage().as_secs()));
    server.stop();
}

/// The server's own process may no longer write to the file. New connections are read-only.
#[apply(trial)]
#[on(SQLite)]
async fn service_survives_a_read_only_file_r8() {
    let deployment = Deployment::new().await.with_fixed_port();
    // Root may write to any file unless it drops these capabilities.
    let as_anybody = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];
    let server = Server::start(deployment.command_under(&as_anybody));
    let client = server.client();
    let file = PathBuf::from(deployment.url.trim_start_matches("sqlite://"));
    let files = ["", "-wal", "-shm"].map(|end| file.with_file_name(format!("vestibule.db{end}")));
    let allow = |mode| {
        // The log and its index are removed when the last connection closes.
        for file in files.iter().filter(|file| file.exists()) {
            fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
        }
    };
    let readers = Readers::start(&client);
    allow(0o400);
    let users = SimulatedUsers::start(&client, "user", USERS);
    sleep(outage()).await;
    let restored = Instant::now();
    allow(0o600);
    sleep(Duration::from_secs(2)).await;
    let tally = users.verify_acknowledged(&client).await;
    readers.end().await;
    let recovery = tally.last_503_after(restored);
    write_result("file read-only", &tally, recovery, format!("{} s", outage().as_secs()));
    server.stop();
    allow(0o400);
    assert_eq!(deployment.failed_start_exit_code(&as_anybody), Some(1), "{}", deployment.logs());
    let logs = deployment.logs();
    let reason = logs.lines().last().unwrap_or_default();
    assert!(reason.contains("vestibule.db: Permission denied"), "{reason}");
}
