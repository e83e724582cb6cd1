//! Databases that are down, hang, are locked by others, or fail for one table.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use sea_orm::{ConnectionTrait as _, DatabaseBackend};
use tokio::time::sleep;

use super::{
    owner::GOOD_OR_REFUSED,
    traffic::{Owners, Readers, p99, ready},
};
use crate::support::{
    engine::Engine,
    figures::Figures,
    process::{Deployment, Server},
    rounds,
};

const OWNERS: usize = 16;
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
async fn database_is_down_at_start_r2() {
    let engine = Engine::get();
    let number = rounds(2, 5);
    let mut recovery = Duration::ZERO;
    for _ in 0..number {
        let deployment = Deployment::new().await.on_one_port();
        engine.kill();
        let mut server = deployment.command().stdout(Stdio::null()).spawn().unwrap();
        let remote = deployment.remote();
        while remote.get("/health/live").try_send().await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(rounds(3, 20) as u64) {
            assert_eq!(remote.get("/health/live").send().await.status, 200);
            assert_eq!(remote.get("/health/ready").send().await.status, 503);
            sleep(Duration::from_millis(100)).await;
        }
        let begun = Instant::now();
        engine.start();
        recovery = recovery.max(ready(&remote, begun).await);
        assert_eq!(remote.register("john").await.status, 201);
        server.kill().unwrap();
        server.wait().unwrap();
    }
    let figures = Figures {
        id: "R2",
        scenario: "database down at start",
        rounds: number,
        recovery: Some(recovery),
        more: "including the start of the database".to_owned(),
        ..Figures::default()
    };
    figures.tell();
    assert!(recovery < RECOVERY_LIMIT + Duration::from_secs(2), "the service retries at least every two seconds: {recovery:?}");
}

/// An outage of the database: how it begins and ends.
struct Outage {
    id: &'static str,
    scenario: &'static str,
    begin: fn(&Engine),
    end: fn(&Engine),
}

#[apply(trial)]
#[on(Servers)]
async fn database_vanishes_and_returns_r3() {
    let outage = Outage { id: "R3", scenario: "database vanishes", begin: Engine::kill, end: Engine::start };
    goes_on_without_a_database(outage).await;
}

#[apply(trial)]
#[on(Servers)]
async fn database_hangs_r4() {
    let outage = Outage { id: "R4", scenario: "database hangs (SIGSTOP)", begin: Engine::pause, end: Engine::resume };
    goes_on_without_a_database(outage).await;
}

async fn goes_on_without_a_database(Outage { id, scenario, begin, end }: Outage) {
    let engine = Engine::get();
    let deployment = Deployment::new().await.on_one_port();
    let server = Server::start(deployment.command());
    let remote = server.remote();
    let readers = Readers::start(&remote);
    let owners = Owners::start(&remote, "owner", OWNERS);
    sleep(Duration::from_secs(1)).await;
    let failing = Instant::now();
    begin(&engine);
    sleep(outage()).await;
    assert_eq!(remote.get("/health/ready").send().await.status, 503);
    let mended = Instant::now();
    end(&engine);
    let recovery = ready(&remote, mended).await;
    sleep(Duration::from_secs(1)).await;
    let tally = owners.look_back(&remote).await;
    let cheap = readers.end().await;
    let first = tally.refusals().map(|seen| seen.at + seen.took).min().map(|at| at.duration_since(failing));
    let late = tally.late;
    let figures = Figures {
        recovery: Some(recovery.max(tally.last_refusal(mended))),
        more: format!(
            "{} s; first 503 after {:.2} s; {} cheap requests, all served, p99 {:.1} ms; {late} sessions lost with a response",
            outage().as_secs(),
            first.unwrap_or_default().as_secs_f64(),
            cheap.len(),
            p99(cheap).as_secs_f64() * 1000.0,
        ),
        ..tally.figures(id, scenario, 1)
    };
    figures.tell();
    tally.holds();
    tally.is_answered(&GOOD_OR_REFUSED);
    assert!(first.is_some_and(|first| first < NETWORK_LIMIT), "{first:?}");
    assert!(figures.worst_503.is_some_and(|worst| worst < NETWORK_LIMIT), "{:?}", figures.worst_503);
    assert!(figures.recovery.is_some_and(|recovery| recovery < RECOVERY_LIMIT), "{:?}", figures.recovery);
    server.stop();
}

/// Each table that authentication reads goes missing in turn, while valid and invalid credentials are tried.
#[apply(trial)]
async fn failing_look_ups_let_nobody_in_r5() {
    let deployment = Deployment::new().await;
    let server = Server::start(deployment.command());
    let remote = server.remote();
    let rows = deployment.rows().await;
    let mysql = rows.get_database_backend() == DatabaseBackend::MySql;
    let quoted = |name: &str| if mysql { format!("`{name}`") } else { format!("\"{name}\"") };
    remote.register("john").await;
    let (number, mut tries, mut wrongful) = (rounds(3, 30), 0, Vec::new());
    for _ in 0..number {
        for table in ["rate_limit", "known_network", "session", "user"] {
            let kept = remote.sign_in("john").await;
            let ended = remote.sign_in("john").await;
            assert_eq!(remote.call("POST", "/logout").bearer(&ended.access).send().await.status, 204);
            let rename = |from: &str, to: &str| format!("ALTER TABLE {} RENAME TO {}", quoted(from), quoted(to));
            rows.execute_unprepared(&rename(table, "gone")).await.unwrap();
            let mut answers = vec![
                ("a wrong password", remote.log_in("john", "not the password").await),
                ("the access token of an ended session", remote.get("/me").bearer(&ended.access).send().await),
                ("its refresh token", remote.refresh(&ended.refresh).await),
            ];
            // Credentials that cannot be checked or rate limited must be rejected too.
            answers.push(if table == "session" {
                ("the access token of an open session", remote.get("/me").bearer(&kept.access).send().await)
            } else {
                ("the right password", remote.log_in("john", "my_password").await)
            });
            rows.execute_unprepared(&rename("gone", table)).await.unwrap();
            tries += answers.len();
            let let_in = answers.into_iter().filter(|(_, answer)| answer.status < 400);
            wrongful.extend(let_in.map(|(who, answer)| format!("{who} without {table}: {answer:?}")));
            assert!(remote.get("/me").bearer(&kept.access).send().await.status == 200, "the service must recover with the table");
        }
    }
    let figures = Figures {
        id: "R5",
        scenario: "a lookup fails",
        rounds: number,
        wrongful: Some(wrongful.len()),
        more: format!("{tries} requests while the table of rate limits, known networks, sessions or users was missing"),
        ..Figures::default()
    };
    figures.tell();
    assert_eq!(wrongful, [""; 0]);
    server.stop();
}

#[apply(trial)]
async fn database_is_held_for_a_moment_r6() {
    // On a network, the service waits at most one second for a locked row.
    let held = if Engine::find().is_none() { Duration::from_secs(3) } else { Duration::from_millis(500) };
    let (figures, failed) = held_by_another("R6", "locked by another writer for a moment", held).await;
    figures.tell();
    assert_eq!(failed, 0, "rejected requests");
}

#[apply(trial)]
async fn database_is_held_for_long_r6() {
    let held = Duration::from_secs(rounds(8, 30) as u64);
    let (figures, failed) = held_by_another("R6", "locked by another writer for long", held).await;
    figures.tell();
    let limit = if Engine::find().is_none() { SQLITE_LIMIT } else { NETWORK_LIMIT };
    assert!(failed > 0 && figures.worst_503.is_some_and(|worst| worst < limit), "{:?}", figures.worst_503);
}

/// Locks every table that the service writes to, under load. Returns the result and the number of 503 responses.
async fn held_by_another(id: &'static str, scenario: &'static str, time: Duration) -> (Figures, usize) {
    let deployment = Deployment::new().await.on_one_port();
    let server = Server::start(deployment.command());
    let remote = server.remote();
    let rows = deployment.rows().await;
    let (hold, release) = match rows.get_database_backend() {
        DatabaseBackend::Sqlite => ("BEGIN EXCLUSIVE", "COMMIT"),
        DatabaseBackend::Postgres => ("BEGIN; LOCK TABLE \"user\", session, rate_limit IN EXCLUSIVE MODE", "COMMIT"),
        _ => ("LOCK TABLES `user` READ, session READ, rate_limit READ", "UNLOCK TABLES"),
    };
    let readers = Readers::start(&remote);
    let owners = Owners::start(&remote, "owner", OWNERS);
    sleep(Duration::from_secs(1)).await;
    rows.execute_unprepared(hold).await.unwrap();
    sleep(time).await;
    rows.execute_unprepared(release).await.unwrap();
    let released = Instant::now();
    sleep(Duration::from_millis(500)).await;
    let tally = owners.look_back(&remote).await;
    readers.end().await;
    let rejected = tally.refusals().count();
    let figures = Figures {
        recovery: (rejected > 0).then(|| tally.last_refusal(released)),
        more: format!("{:.1} s; {rejected} of {} requests got 503", time.as_secs_f64(), tally.seen.len()),
        ..tally.figures(id, scenario, 1)
    };
    tally.holds();
    tally.is_answered(&GOOD_OR_REFUSED);
    server.stop();
    (figures, rejected)
}
