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
    owner::{GOOD_OR_REFUSED, Tally},
    some_of,
    traffic::{Owners, ready},
};
use crate::support::{
    engine::Engine,
    figures::Figures,
    process::{Deployment, Server},
    rounds,
};

const OWNERS: usize = 16;
/// The earliest time of the kill after the load starts, and the random delay on top.
const EARLIEST: Duration = Duration::from_millis(200);
const LATER: Duration = Duration::from_millis(800);

/// Returns the damage that the database finds in its files, or an orphaned row.
pub(super) async fn damage(rows: &DatabaseConnection) -> Option<String> {
    let users: HashSet<_> = user::Entity::find().all(rows).await.unwrap().iter().map(|user| user.id).collect();
    let sessions = session::Entity::find().all(rows).await.unwrap();
    if let Some(orphan) = sessions.iter().find(|session| !users.contains(&session.user_id)) {
        return Some(format!("{orphan:?} has no user"));
    }
    let (statement, column, good) = match rows.get_database_backend() {
        DatabaseBackend::Sqlite => ("PRAGMA integrity_check", "integrity_check", "ok"),
        DatabaseBackend::Postgres => return None,
        _ => ("CHECK TABLE `user`, session, rate_limit, known_network, job, audit_event, audit_head", "Msg_text", "OK"),
    };
    let statement = Statement::from_string(rows.get_database_backend(), statement);
    let found = rows.query_all_raw(statement).await.unwrap();
    let texts = found.iter().map(|row| row.try_get::<String>("", column).unwrap());
    texts.into_iter().find(|text| text != good)
}

#[apply(trial)]
async fn service_is_killed_r1() {
    let deployment = Deployment::new().await.on_one_port();
    let (number, mut tally, mut recovery) = (rounds(5, 100), Tally::default(), Duration::ZERO);
    let mut server = Server::start(deployment.command());
    for round in 0..number {
        let owners = Owners::start(&server.remote(), &format!("round{round}of"), OWNERS);
        sleep(EARLIEST + some_of(LATER)).await;
        server.kill();
        let begun = Instant::now();
        server = Server::start(deployment.command());
        recovery = recovery.max(ready(&server.remote(), begun).await);
        tally.add(owners.look_back(&server.remote()).await);
    }
    server.stop();
    let damage = damage(&deployment.rows().await).await;
    let trail = verified_trail(&deployment);
    tell("kill -9 of the service under load", number, &tally, recovery, &trail);
    tally.holds();
    assert_eq!(damage, None);
}

#[apply(trial)]
#[on(Servers)]
async fn database_is_killed_r1() {
    let engine = Engine::get();
    let deployment = Deployment::new().await.on_one_port();
    let (number, mut tally, mut recovery) = (rounds(5, 100), Tally::default(), Duration::ZERO);
    let server = Server::start(deployment.command());
    let remote = server.remote();
    for round in 0..number {
        let owners = Owners::start(&remote, &format!("round{round}of"), OWNERS);
        sleep(EARLIEST + some_of(LATER)).await;
        engine.kill();
        let begun = Instant::now();
        engine.start();
        recovery = recovery.max(ready(&remote, begun).await);
        tally.add(owners.look_back(&remote).await);
    }
    server.stop();
    let damage = damage(&deployment.rows().await).await;
    let trail = verified_trail(&deployment);
    tell("kill -9 of the database under load", number, &tally, recovery, &trail);
    tally.holds();
    assert_eq!(tally.others(&GOOD_OR_REFUSED), [0; 0], "unexpected responses while the database was down");
    assert_eq!(damage, None);
}

/// Verifies the audit log and returns the number of its events.
fn verified_trail(deployment: &Deployment) -> String {
    let output = deployment.command().args(["audit", "verify", "--json"]).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{report}");
    report["events"].to_string()
}

/// Adds a row about killed processes.
fn tell(scenario: &'static str, rounds: usize, tally: &Tally, recovery: Duration, audit_events: &str) {
    let more = format!("{OWNERS} clients; {audit_events} audit events in one unbroken chain");
    Figures { recovery: Some(recovery), more, ..tally.figures("R1", scenario, rounds) }.tell();
}

/// Kills the first start on an empty database at a random moment. The next start must finish the migration.
#[apply(trial)]
async fn service_is_killed_while_it_migrates_r10() {
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
        sleep(some_of(whole)).await;
        starting.kill().unwrap();
        starting.wait().unwrap();
        let rows = deployment.rows().await;
        before += usize::from(user::Entity::find().one(&rows).await.is_err());
        rows.close().await.unwrap();
        let begun = Instant::now();
        let server = Server::start(deployment.command());
        recovery = recovery.max(ready(&server.remote(), begun).await);
        server.sign_up("john").await;
        server.stop();
        damaged.extend(damage(&deployment.rows().await).await);
    }
    Figures {
        id: "R10",
        scenario: "kill -9 while it migrates",
        rounds: number,
        half_written: Some(damaged.len()),
        recovery: Some(recovery),
        more: format!("{before} killed before the first table existed; no manual repair"),
        ..Figures::default()
    }
    .tell();
    assert_eq!(damaged, [""; 0]);
}
