//! Upgrades: the schema of the next version while instances of this version run.

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait as _, DatabaseBackend, DatabaseConnection};
use tokio::time::sleep;
use vestibule::store;

use super::{
    owner::{GOOD, Tally},
    traffic::{Owners, Readers},
};
use crate::support::{
    figures::Figures,
    process::{Deployment, Server},
    rounds,
};

const OWNERS: usize = 16;
const NEXT: &str = "m20990101_000001_next";
/// How long the older instances run before and after the migration.
const WHILE: Duration = Duration::from_millis(1500);

/// Migrates the schema as a later version may while older instances run: it only adds.
async fn migrate_to_the_next(rows: &DatabaseConnection) {
    let mysql = rows.get_database_backend() == DatabaseBackend::MySql;
    // Like real migrations, a change that waits for a lock is retried.
    match rows.get_database_backend() {
        DatabaseBackend::Sqlite => {}
        DatabaseBackend::Postgres => drop(rows.execute_unprepared("SET lock_timeout = '200ms'").await.unwrap()),
        _ => drop(rows.execute_unprepared("SET SESSION lock_wait_timeout = 0").await.unwrap()),
    }
    for statement in [
        "ALTER TABLE \"user\" ADD COLUMN email VARCHAR(254)",
        "ALTER TABLE session ADD COLUMN remembered INTEGER NOT NULL DEFAULT 0",
        "CREATE TABLE invitation (id INTEGER PRIMARY KEY, token VARCHAR(64) NOT NULL)",
        "CREATE INDEX session_remembered ON session (remembered)",
        &format!("INSERT INTO seaql_migrations (version, applied_at) VALUES ('{NEXT}', 1)"),
    ] {
        let statement = if mysql { statement.replace('"', "`") } else { statement.to_owned() };
        while let Err(error) = rows.execute_unprepared(&statement).await {
            assert!(store::is_conflict(&error), "{error}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

#[apply(trial)]
async fn schema_of_the_next_version_hurts_nobody_r11() {
    let (number, mut whole) = (rounds(2, 20), Tally::default());
    for _ in 0..number {
        let deployment = Deployment::new().await;
        let servers = deployment.servers::<2>();
        let rows = deployment.rows().await;
        let crowds = servers.each_ref().map(|server| {
            let address = server.address().replace(['.', ':'], "x");
            (server.remote(), Owners::start(&server.remote(), &address, OWNERS / 2), Readers::start(&server.remote()))
        });
        sleep(WHILE).await;
        migrate_to_the_next(&rows).await;
        sleep(WHILE).await;
        for (remote, owners, readers) in crowds {
            let tally = owners.look_back(&remote).await;
            readers.end().await;
            whole.add(tally);
        }
        for server in servers {
            server.stop();
        }
    }
    let figures = Figures {
        more: format!("{} of {} requests failed", whole.failed(&GOOD), whole.seen.len()),
        ..whole.figures("R11", "two instances on the schema of the next version, which only adds", number)
    };
    figures.tell();
    whole.holds();
    whole.is_answered(&GOOD);
}

#[apply(trial)]
async fn older_version_refuses_a_newer_schema_r12() {
    let deployment = Deployment::new().await;
    Server::start(deployment.command()).stop();
    let rows = deployment.rows().await;
    migrate_to_the_next(&rows).await;
    rows.close().await.unwrap();
    let begun = Instant::now();
    let code = deployment.failed_start(&[]);
    let took = begun.elapsed();
    let logs = deployment.logs();
    let reason = logs.lines().last().unwrap_or_default();
    assert_eq!(code, Some(6), "{logs}");
    assert!(reason.contains(NEXT) && reason.contains("newer version") && reason.contains("backup"), "{reason}");
    assert!(took < Duration::from_secs(5), "the start must fail at once: {took:?}");
    let figures = Figures {
        id: "R12",
        scenario: "this version on the schema of the next",
        rounds: 1,
        more: format!("exit code 6 after {:.2} s, with the reason and what to do", took.as_secs_f64()),
        ..Figures::default()
    };
    figures.tell();
}
