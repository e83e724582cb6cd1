//! Upgrades: the schema of the next version under instances of this one.

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait as _, DatabaseBackend, DatabaseConnection};
use tokio::time::sleep;
use vestibule::domain::database;

use super::traffic::{Owners, Readers};
use crate::support::{
    figures::Figures,
    process::{Deployment, Server},
    rounds,
};

crate::trials![schema_of_the_next_version_hurts_nobody_r11, older_version_refuses_a_newer_schema_r12];

const OWNERS: usize = 16;
const NEXT: &str = "m20990101_000001_next";
/// How long the older instances serve on before and after.
const WHILE: Duration = Duration::from_millis(1500);

/// What a later version may do to the schema while older instances serve: it adds.
async fn migrate_to_the_next(rows: &DatabaseConnection) {
    let mysql = rows.get_database_backend() == DatabaseBackend::MySql;
    // As migrations are run: a change that has to wait for those who use its table is tried again.
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
            assert!(database::is_conflict(&error), "{error}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn schema_of_the_next_version_hurts_nobody_r11() {
    let (number, mut acknowledged, mut refused) = (rounds(2, 20), 0, 0);
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
            tally.holds();
            let answers = tally.others(&[200, 201, 204, 401, 409]);
            assert_eq!(answers, [0; 0], "{}", deployment.logs());
            assert!(tally.seen.iter().all(|seen| seen.status.is_some()), "every request is answered");
            refused += answers.len();
            acknowledged += tally.acknowledged;
        }
        for server in servers {
            server.stop();
        }
    }
    let figures = Figures {
        id: "R11",
        scenario: "two instances on the schema of a next version, which adds",
        rounds: number,
        acknowledged: Some(acknowledged),
        lost: Some(0),
        half_written: Some(0),
        wrongful: Some(0),
        more: format!("{refused} answers 5xx, no session lost"),
        ..Figures::default()
    };
    figures.tell();
}

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
    assert!(took < Duration::from_secs(5), "waiting would not help: {took:?}");
    let figures = Figures {
        id: "R12",
        scenario: "this version on the schema of a next one",
        rounds: 1,
        more: format!("exit code 6 after {:.2} s, with the reason and what to do", took.as_secs_f64()),
        ..Figures::default()
    };
    figures.tell();
}
