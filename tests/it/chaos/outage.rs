//! Databases that are down, hang, are locked by others, or fail for one table.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use sea_orm::{ConnectionTrait as _, DatabaseBackend};
use tokio::time::sleep;

use super::{
    simulated_user::EXPECTED_OR_503,
    traffic::{Readers, SimulatedUsers, p99, wait_until_ready},
};
use crate::support::{
    database_server::DatabaseServer,
    process::{Deployment, Server},
    results::ResultRow,
    rounds,
};

const USERS: usize = 16;
/// How long a 503 response may take: with a database server, and on SQLite, which waits longer for locks of other
/// processes.
const NETWORK_LIMIT: Duration = Duration::from_secs(3);
const SQLITE_LIMIT: Duration = Duration::from_secs(6);
/// How soon the service must recover after its database does.
const RECOVERY_LIMIT: Duration = Duration::from_secs(5);

/// Returns how long the database fails.
fn outage() -> Duration {
    Duration::from_secs(rounds(4, 30) as u64)
}

#[apply(trial)]
#[on(Servers)]
async fn service_waits_for_a_database_that_is_down_at_start_r2() {
    let database = DatabaseServer::get();
    let number = rounds(2, 5);
    let mut recovery = Duration::ZERO;
    for _ in 0..number {
        let deployment = Deployment::new().await.with_fixed_port();
        database.kill();
        let mut server = deployment.command().stdout(Stdio::null()).spawn().unwrap();
        let client = deployment.client();
        while client.get("/health/live").try_send().await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(rounds(3, 20) as u64) {
            assert_eq!(client.get("/health/live").send().await.status, 200);
            assert_eq!(client.get("/health/ready").send().await.status, 503);
            sleep(Duration::from_millis(100)).await;
        }
        let begun = Instant::now();
        database.start();
        recovery = recovery.max(wait_until_ready(&client, begun).await);
        assert_eq!(client.register("john").await.status, 201);
        server.kill().unwrap();
        server.wait().unwrap();
    }
    let result = ResultRow {
        id: "R2",
        scenario: "database down at start",
        rounds: number,
        recovery: Some(recovery),
        notes: "including the start of the database".to_owned(),
        ..ResultRow::default()
    };
    result.write();
    assert!(
        recovery < RECOVERY_LIMIT + Duration::from_secs(2),
        "the service retries at least every two seconds: {recovery:?}"
    );
}

/// An outage of the database: how it begins and ends.
struct Outage {
    id: &'static str,
    scenario: &'static str,
    begin: fn(&DatabaseServer),
    end: fn(&DatabaseServer),
}

#[apply(trial)]
#[on(Servers)]
async fn service_recovers_after_the_database_is_killed_r3() {
    let outage =
        Outage { id: "R3", scenario: "database vanishes", begin: DatabaseServer::kill, end: DatabaseServer::start };
    survive_outage(outage).await;
}

#[apply(trial)]
#[on(Servers)]
async fn service_recovers_after_the_database_hangs_r4() {
    let outage = Outage {
        id: "R4",
        scenario: "database hangs (SIGSTOP)",
        begin: DatabaseServer::pause,
        end: DatabaseServer::resume,
    };
    survive_outage(outage).await;
}

async fn survive_outage(Outage { id, scenario, begin, end }: Outage) {
    let database = DatabaseServer::get();
    let deployment = Deployment::new().await.with_fixed_port();
    let server = Server::start(deployment.command());
    let client = server.client();
    let readers = Readers::start(&client);
    let users = SimulatedUsers::start(&client, "user", USERS);
    sleep(Duration::from_secs(1)).await;
    let failing = Instant::now();
    begin(&database);
    sleep(outage()).await;
    assert_eq!(client.get("/health/ready").send().await.status, 503);
    let restored = Instant::now();
    end(&database);
    let recovery = wait_until_ready(&client, restored).await;
    sleep(Duration::from_secs(1)).await;
    let tally = users.verify_acknowledged(&client).await;
    let cheap = readers.end().await;
    let first =
        tally.responses_503().map(|request| request.at + request.took).min().map(|at| at.duration_since(failing));
    let grace_expired = tally.grace_expired;
    let result = ResultRow {
        recovery: Some(recovery.max(tally.last_503_after(restored))),
        notes: format!(
            "{} s; first 503 after {:.2} s; {} cheap requests, all served, p99 {:.1} ms; {grace_expired} sessions lost with a response",
            outage().as_secs(),
            first.unwrap_or_default().as_secs_f64(),
            cheap.len(),
            p99(cheap).as_secs_f64() * 1000.0,
        ),
        ..tally.result_row(id, scenario, 1)
    };
    result.write();
    tally.assert_consistent();
    tally.assert_statuses(&EXPECTED_OR_503);
    assert!(first.is_some_and(|first| first < NETWORK_LIMIT), "{first:?}");
    assert!(result.worst_503.is_some_and(|worst| worst < NETWORK_LIMIT), "{:?}", result.worst_503);
    assert!(result.recovery.is_some_and(|recovery| recovery < RECOVERY_LIMIT), "{:?}", result.recovery);
    server.stop();
}

/// Each table that authentication reads goes missing in turn, while valid and invalid credentials are tried.
#[apply(trial)]
async fn failing_lookups_let_no_one_in_r5() {
    let deployment = Deployment::new().await;
    let server = Server::start(deployment.command());
    let client = server.client();
    let db = deployment.connect().await;
    let mysql = db.get_database_backend() == DatabaseBackend::MySql;
    let quoted = |name: &str| if mysql { format!("`{name}`") } else { format!("\"{name}\"") };
    client.register("john").await;
    let (number, mut attempts, mut wrongly_accepted) = (rounds(3, 30), 0, Vec::new());
    for _ in 0..number {
        for table in ["rate_limit", "known_network", "session", "user"] {
            let kept = client.sign_in("john").await;
            let ended = client.sign_in("john").await;
            assert_eq!(client.call("POST", "/logout").bearer(&ended.access).send().await.status, 204);
            let rename = |from: &str, to: &str| format!("ALTER TABLE {} RENAME TO {}", quoted(from), quoted(to));
            db.execute_unprepared(&rename(table, "gone")).await.unwrap();
            let mut responses = vec![
                ("a wrong password", client.log_in("john", "not the password").await),
                ("the access token of an ended session", client.get("/me").bearer(&ended.access).send().await),
                ("its refresh token", client.refresh(&ended.refresh).await),
            ];
            // Credentials that cannot be checked or rate limited must be rejected too.
            responses.push(if table == "session" {
                ("the access token of an open session", client.get("/me").bearer(&kept.access).send().await)
            } else {
                ("the right password", client.log_in("john", "my_password").await)
            });
            db.execute_unprepared(&rename("gone", table)).await.unwrap();
            attempts += responses.len();
            let accepted = responses.into_iter().filter(|(_, response)| response.status < 400);
            wrongly_accepted.extend(accepted.map(|(who, response)| format!("{who} without {table}: {response:?}")));
            assert!(
                client.get("/me").bearer(&kept.access).send().await.status == 200,
                "the service must recover with the table"
            );
        }
    }
    let result = ResultRow {
        id: "R5",
        scenario: "a lookup fails",
        rounds: number,
        wrongly_accepted: Some(wrongly_accepted.len()),
        notes: format!(
            "{attempts} requests while the table of rate limits, known networks, sessions or users was missing"
        ),
        ..ResultRow::default()
    };
    result.write();
    assert_eq!(wrongly_accepted, [""; 0]);
    server.stop();
}

#[apply(trial)]
async fn briefly_locked_database_fails_no_request_r6() {
    // On a network, the service waits at most one second for a locked row.
    let duration = if DatabaseServer::find().is_none() { Duration::from_secs(3) } else { Duration::from_millis(500) };
    let (result, failed) = run_while_locked("R6", "locked by another writer for a moment", duration).await;
    result.write();
    assert_eq!(failed, 0, "rejected requests");
}

#[apply(trial)]
async fn requests_fail_in_time_while_the_database_is_locked_r6() {
    let duration = Duration::from_secs(rounds(8, 30) as u64);
    let (result, failed) = run_while_locked("R6", "locked by another writer for long", duration).await;
    result.write();
    let limit = if DatabaseServer::find().is_none() { SQLITE_LIMIT } else { NETWORK_LIMIT };
    assert!(failed > 0 && result.worst_503.is_some_and(|worst| worst < limit), "{:?}", result.worst_503);
}

/// Locks every table that the service writes to, under load. Returns the result and the number of 503 responses.
async fn run_while_locked(id: &'static str, scenario: &'static str, time: Duration) -> (ResultRow, usize) {
    let deployment = Deployment::new().await.with_fixed_port();
    let server = Server::start(deployment.command());
    let client = server.client();
    let db = deployment.connect().await;
    let (hold, release) = match db.get_database_backend() {
        DatabaseBackend::Sqlite => ("BEGIN EXCLUSIVE", "COMMIT"),
        DatabaseBackend::Postgres => ("BEGIN; LOCK TABLE \"user\", session, rate_limit IN EXCLUSIVE MODE", "COMMIT"),
        _ => ("LOCK TABLES `user` READ, session READ, rate_limit READ", "UNLOCK TABLES"),
    };
    let readers = Readers::start(&client);
    let users = SimulatedUsers::start(&client, "user", USERS);
    sleep(Duration::from_secs(1)).await;
    db.execute_unprepared(hold).await.unwrap();
    sleep(time).await;
    db.execute_unprepared(release).await.unwrap();
    let released = Instant::now();
    sleep(Duration::from_millis(500)).await;
    let tally = users.verify_acknowledged(&client).await;
    readers.end().await;
    let rejected = tally.responses_503().count();
    let result = ResultRow {
        recovery: (rejected > 0).then(|| tally.last_503_after(released)),
        notes: format!("{:.1} s; {rejected} of {} requests got 503", time.as_secs_f64(), tally.requests.len()),
        ..tally.result_row(id, scenario, 1)
    };
    tally.assert_consistent();
    tally.assert_statuses(&EXPECTED_OR_503);
    server.stop();
    (result, rejected)
}
