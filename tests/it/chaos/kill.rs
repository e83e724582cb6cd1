//! Processes that are killed at any moment.

use std::{
    collections::HashSet,
    process::Stdio,
    time::{Duration, Instant},
};

use sea_orm::{ConnectionTrait as _, DatabaseBackend, DatabaseConnection, EntityTrait as _, Statement};
use tokio::time::sleep;
use vestibule::entity::{session, user};

use super::{
    random_duration,
    simulated_user::{EXPECTED_OR_503, Tally},
    traffic::{SimulatedUsers, wait_until_ready},
};
use crate::support::{
    database_server::DatabaseServer,
    process::{Deployment, Server},
    results::ResultRow,
    rounds,
};

const USERS: usize = 16;
/// The earliest time of the kill after the load starts, and the random delay on top.
const EARLIEST: Duration = Duration::from_millis(200);
const LATER: Duration = Duration::from_millis(800);

/// Returns the damage that the database finds in its files, or an orphaned row.
pub(super) async fn find_damage(db: &DatabaseConnection) -> Option<String> {
    let users: HashSet<_> = user::Entity::find().all(db).await.unwrap().iter().map(|user| user.id).collect();
    let sessions = session::Entity::find().all(db).await.unwrap();
    if let Some(orphan) = sessions.iter().find(|session| !users.contains(&session.user_id)) {
        return Some(format!("{orphan:?} has no user"));
    }
    let (statement, column, good) = match db.get_database_backend() {
        DatabaseBackend::Sqlite => ("PRAGMA integrity_check", "integrity_check", "ok"),
        DatabaseBackend::Postgres => return None,
        _ => ("CHECK TABLE `user`, session, rate_limit, known_network, job, audit_event, audit_head", "Msg_text", "OK"),
    };
    let statement = Statement::from_string(db.get_database_backend(), statement);
    let found = db.query_all_raw(statement).await.unwrap();
    let texts = found.iter().map(|row| row.try_get::<String>("", column).unwrap());
    texts.into_iter().find(|text| text != good)
}

#[apply(trial)]
async fn killed_service_loses_no_acknowledged_change_r1() {
    let deployment = Deployment::new().await.with_fixed_port();
    let (number, mut tally, mut recovery) = (rounds(5, 100), Tally::default(), Duration::ZERO);
    let mut server = Server::start(deployment.command());
    for round in 0..number {
        let users = SimulatedUsers::start(&server.client(), &format!("round{round}of"), USERS);
        sleep(EARLIEST + random_duration(LATER)).await;
        server.kill();
        let begun = Instant::now();
        server = Server::start(deployment.command());
        recovery = recovery.max(wait_until_ready(&server.client(), begun).await);
        tally.add(users.verify_acknowledged(&server.client()).await);
    }
    server.stop();
    let damage = find_damage(&deployment.connect().await).await;
    let audit_events = verified_audit_events(&deployment);
    write_result("kill -9 of the service under load", number, &tally, recovery, &audit_events);
    tally.assert_consistent();
    assert_eq!(damage, None);
}

#[apply(trial)]
#[on(Servers)]
async fn killed_database_loses_no_acknowledged_change_r1() {
    let database = DatabaseServer::get();
    let deployment = Deployment::new().await.with_fixed_port();
    let (number, mut tally, mut recovery) = (rounds(5, 100), Tally::default(), Duration::ZERO);
    let server = Server::start(deployment.command());
    let client = server.client();
    for round in 0..number {
        let users = SimulatedUsers::start(&client, &format!("round{round}of"), USERS);
        sleep(EARLIEST + random_duration(LATER)).await;
        database.kill();
        let begun = Instant::now();
        database.start();
        recovery = recovery.max(wait_until_ready(&client, begun).await);
        tally.add(users.verify_acknowledged(&client).await);
    }
    server.stop();
    let damage = find_damage(&deployment.connect().await).await;
    let audit_events = verified_audit_events(&deployment);
    write_result("kill -9 of the database under load", number, &tally, recovery, &audit_events);
    tally.assert_consistent();
    assert_eq!(tally.unexpected_statuses(&EXPECTED_OR_503), [0; 0], "unexpected responses while the database was down");
    assert_eq!(damage, None);
}

/// Verifies the audit log and returns the number of its events.
fn verified_audit_events(deployment: &Deployment) -> String {
    let output = deployment.command().args(["audit", "verify", "--json"]).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{report}");
    report["events"].to_string()
}

/// Adds a row about killed processes.
fn write_result(scenario: &'static str, rounds: usize, tally: &Tally, recovery: Duration, audit_events: &str) {
    let notes = format!("{USERS} clients; {audit_events} audit events in one unbroken chain");
    ResultRow { recovery: Some(recovery), notes, ..tally.result_row("R1", scenario, rounds) }.write();
}

/// Kills the first start on an empty database at a random moment. The next start must finish the migration.
#[apply(trial)]
async fn killed_migration_is_completed_by_the_next_start_r10() {
    let whole = {
        let deployment = Deployment::new().await;
        let begun = Instant::now();
        Server::start(deployment.command()).stop();
        begun.elapsed()
    };
    let (number, mut recovery, mut before, mut damaged) = (rounds(5, 50), Duration::ZERO, 0, Vec::new());
    for _ in 0..number {
        let deployment = Deployment::new().await;
        let mut starting = deployment.command().stdout(Stdio::null()).spawn().unwrap();
        sleep(random_duration(whole)).await;
        starting.kill().unwrap();
        starting.wait().unwrap();
        let db = deployment.connect().await;
        before += usize::from(user::Entity::find().one(&db).await.is_err());
        db.close().await.unwrap();
        let begun = Instant::now();
        let server = Server::start(deployment.command());
        recovery = recovery.max(wait_until_ready(&server.client(), begun).await);
        server.sign_up("john").await;
        server.stop();
        damaged.extend(find_damage(&deployment.connect().await).await);
    }
    ResultRow {
        id: "R10",
        scenario: "kill -9 while it migrates",
        rounds: number,
        half_written: Some(damaged.len()),
        recovery: Some(recovery),
        notes: format!("{before} killed before the first table existed; no manual repair"),
        ..ResultRow::default()
    }
    .write();
    assert_eq!(damaged, [""; 0]);
}
