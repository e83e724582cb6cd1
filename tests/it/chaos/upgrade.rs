//! Upgrades: the schema of the next version while instances of this version run.

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait as _, DatabaseBackend, DatabaseConnection};
use tokio::time::sleep;
use vestibule::store;

use super::{
    simulated_user::{EXPECTED_STATUSES, Tally},
    traffic::{Readers, SimulatedUsers},
};
use crate::support::{
    process::{Deployment, Server},
    results::ResultRow,
    rounds,
};

const USERS: usize = 16;
const NEXT: &str = "m20990101_000001_next";
/// How long the older instances run before and after the migration.
const PHASE: Duration = Duration::from_millis(1500);

/// Migrates the schema as a later version may while older instances run: it only adds.
async fn migrate_to_next_version(db: &DatabaseConnection) {
    let mysql = db.get_database_backend() == DatabaseBackend::MySql;
    // Like real migrations, a change that waits for a lock is retried.
    match db.get_database_backend() {
        DatabaseBackend::Sqlite => {}
        DatabaseBackend::Postgres => drop(db.execute_unprepared("SET lock_timeout = '200ms'").await.unwrap()),
        _ => drop(db.execute_unprepared("SET SESSION lock_wait_timeout = 0").await.unwrap()),
    }
    for statement in [
        "ALTER TABLE \"user\" ADD COLUMN email VARCHAR(254)",
        "ALTER TABLE session ADD COLUMN remembered INTEGER NOT NULL DEFAULT 0",
        "CREATE TABLE invitation (id INTEGER PRIMARY KEY, token VARCHAR(64) NOT NULL)",
        "CREATE INDEX session_remembered ON session (remembered)",
        &format!("INSERT INTO seaql_migrations (version, applied_at) VALUES ('{NEXT}', 1)"),
    ] {
        let statement = if mysql { statement.replace('"', "`") } else { statement.to_owned() };
        while let Err(error) = db.execute_unprepared(&statement).await {
            assert!(store::is_conflict(&error), "{error}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

#[apply(trial)]
async fn running_instances_survive_the_next_schema_version_r11() {
    let (number, mut total) = (rounds(2, 20), Tally::default());
    for _ in 0..number {
        let deployment = Deployment::new().await;
        let servers = deployment.start_servers::<2>();
        let db = deployment.connect().await;
        let crowds = servers.each_ref().map(|server| {
            let address = server.address().replace(['.', ':'], "x");
            (
                server.client(),
                SimulatedUsers::start(&server.client(), &address, USERS / 2),
                Readers::start(&server.client()),
            )
        });
        sleep(PHASE).await;
        migrate_to_next_version(&db).await;
        sleep(PHASE).await;
        for (client, users, readers) in crowds {
            let tally = users.verify_acknowledged(&client).await;
            readers.end().await;
            total.add(tally);
        }
        for server in servers {
            server.stop();
        }
    }
    let result = ResultRow {
        notes: format!("{} of {} requests failed", total.count_unexpected(&EXPECTED_STATUSES), total.requests.len()),
        ..total.result_row("R11", "two instances on the schema of the next version, which only adds", number)
    };
    result.write();
    total.assert_consistent();
    total.assert_statuses(&EXPECTED_STATUSES);
}

#[apply(trial)]
async fn older_version_does_not_start_on_a_newer_schema_r12() {
    let deployment = Deployment::new().await;
    Server::start(deployment.command()).stop();
    let db = deployment.connect().await;
    migrate_to_next_version(&db).await;
    db.close().await.unwrap();
    let begun = Instant::now();
    let code = deployment.failed_start_exit_code(&[]);
    let took = begun.elapsed();
    let logs = deployment.logs();
    let reason = logs.lines().last().unwrap_or_default();
    assert_eq!(code, Some(6), "{logs}");
    assert!(reason.contains(NEXT) && reason.contains("newer version") && reason.contains("backup"), "{reason}");
    assert!(took < Duration::from_secs(5), "the start must fail at once: {took:?}");
    let result = ResultRow {
        id: "R12",
        scenario: "this version on the schema of the next",
        rounds: 1,
        notes: format!("exit code 6 after {:.2} s, with the reason and what to do", took.as_secs_f64()),
        ..ResultRow::default()
    };
    result.write();
}
