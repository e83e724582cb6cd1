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
    owner::{GOOD_OR_REFUSED, Tally},
    traffic::{Owners, Readers, ready},
};
use crate::support::{
    engine::Engine,
    figures::Figures,
    process::{Deployment, Server},
    rounds,
};

const OWNERS: usize = 16;
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
async fn stuff(rows: &DatabaseConnection) {
    let insert = format!("INSERT INTO stuffing VALUES ('{}')", "x".repeat(100_000));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        match tokio::time::timeout(Duration::from_secs(2), rows.execute_unprepared(&insert)).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
    panic!("the disk is not full");
}

/// Adds the row of an outage, and asserts what must hold after every outage.
fn tell(scenario: &'static str, tally: &Tally, recovery: Duration, more: String) {
    let figures = Figures { recovery: Some(recovery), more, ..tally.figures("R8", scenario, 1) };
    figures.tell();
    tally.holds();
    assert!(tally.refusals().count() > 0, "no request was rejected during the outage");
    tally.is_answered(&GOOD_OR_REFUSED);
    assert!(recovery < RECOVERY_LIMIT, "{recovery:?}");
}

#[apply(trial)]
async fn disk_is_full_r8() {
    let volume = volume();
    let deployment = Deployment::new_in(&volume).await.on_one_port();
    let server = Server::start(deployment.command());
    let remote = server.remote();
    let rows = deployment.rows().await;
    let mysql = rows.get_database_backend() == DatabaseBackend::MySql;
    let text = if mysql { "MEDIUMTEXT" } else { "TEXT" };
    rows.execute_unprepared(&format!("CREATE TABLE stuffing (line {text})")).await.unwrap();
    let readers = Readers::start(&remote);
    let owners = Owners::start(&remote, "owner", OWNERS);
    sleep(Duration::from_secs(1)).await;
    let ballast = Ballast::fill(&volume);
    stuff(&rows).await;
    sleep(outage()).await;
    drop(ballast);
    let mended = Instant::now();
    if let Some(engine) = Engine::find()
        && !engine.runs()
    {
        // PostgreSQL exits when it has no room for its write-ahead log, and has to be restarted.
        engine.start();
    }
    ready(&remote, mended).await;
    sleep(Duration::from_secs(1)).await;
    let tally = owners.look_back(&remote).await;
    readers.end().await;
    server.stop();
    let damage = super::kill::damage(&deployment.rows().await).await;
    let recovery = tally.last_refusal(mended);
    tell("disk full", &tally, recovery, format!("{} s; the database reports no damage", outage().as_secs()));
    assert_eq!(damage, None);
}

/// A server that rejects writes, like one that has become a replica.
#[apply(trial)]
#[on(Servers)]
async fn database_can_only_be_read_r8() {
    let deployment = Deployment::new().await.on_one_port();
    let server = Server::start(deployment.command());
    let remote = server.remote();
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
    let readers = Readers::start(&remote);
    let owners = Owners::start(&remote, "owner", OWNERS);
    sleep(Duration::from_secs(1)).await;
    switch(true).await;
    sleep(outage()).await;
    let mended = Instant::now();
    switch(false).await;
    sleep(Duration::from_secs(2)).await;
    let tally = owners.look_back(&remote).await;
    readers.end().await;
    let recovery = tally.last_refusal(mended);
    tell("database read-only", &tally, recovery, format!("{} s", outage().as_secs()));
    server.stop();
}

/// The server's own process may no longer write to the file. New connections are read-only.
#[apply(trial)]
#[on(SQLite)]
async fn file_can_only_be_read_r8() {
    let deployment = Deployment::new().await.on_one_port();
    // Root may write to any file unless it drops these capabilities.
    let as_anybody = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];
    let server = Server::start(deployment.command_by(&as_anybody));
    let remote = server.remote();
    let file = PathBuf::from(deployment.url.trim_start_matches("sqlite://"));
    let files = ["", "-wal", "-shm"].map(|end| file.with_file_name(format!("vestibule.db{end}")));
    let allow = |mode| {
        // The log and its index are removed when the last connection closes.
        for file in files.iter().filter(|file| file.exists()) {
            fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
        }
    };
    let readers = Readers::start(&remote);
    allow(0o400);
    let owners = Owners::start(&remote, "owner", OWNERS);
    sleep(outage()).await;
    let mended = Instant::now();
    allow(0o600);
    sleep(Duration::from_secs(2)).await;
    let tally = owners.look_back(&remote).await;
    readers.end().await;
    let recovery = tally.last_refusal(mended);
    tell("file read-only", &tally, recovery, format!("{} s", outage().as_secs()));
    server.stop();
    allow(0o400);
    assert_eq!(deployment.failed_start(&as_anybody), Some(1), "{}", deployment.logs());
    let logs = deployment.logs();
    let reason = logs.lines().last().unwrap_or_default();
    assert!(reason.contains("vestibule.db: Permission denied"), "{reason}");
}
