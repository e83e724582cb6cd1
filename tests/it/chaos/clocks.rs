//! Running servers on hosts whose clocks jump or differ. Each test adds a row to the results table. The suffix of a
//! test name is the ID of the robustness check that it covers.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tempfile::TempDir;
use vestibule::{
    clock::{Clock, Timestamp},
    domain::{audit::Actor, auth::login::login, name::Name, user::create_user},
    startup,
};

use crate::support::{
    Settings,
    app::{Tokens, login_attempt},
    database::engine,
    process::{Deployment, Server},
    results::ResultRow,
    rounds,
};

const HOUR: i64 = 60 * 60;
const CALLERS: usize = 50;
/// The number of logins for each jump.
const SESSIONS: usize = 8;
/// The lockout duration in seconds, shorter than a jump.
const LOCKOUT: u64 = 30 * 60;
/// The log messages for a detected step, and for a host clock that differs from the database's clock.
const STEPPED: &str = "the reference clock stepped";
const CLOCK_DIFFERS: &str = "this host's clock would have to be set 90.0 s back";

/// Returns the path of the library that fakes the system time of a process.
fn faketime() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files = folders.chain([PathBuf::from("/usr/lib")]).map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    files.find(|file| file.exists()).expect("libfaketimeMT.so.1 is missing: install Debian's package libfaketime")
}

/// A simulated host with its own clock.
struct Host {
    folder: TempDir,
    started: Mutex<Vec<u32>>,
}

impl Host {
    /// Creates a host whose clock is off by this many seconds.
    fn new(offset: i64) -> Self {
        let host = Self { folder: TempDir::new().unwrap(), started: Mutex::default() };
        host.set(offset);
        host
    }

    /// Sets the clock's offset.
    fn set(&self, offset: i64) {
        let draft = self.folder.path().join("draft");
        fs::write(&draft, format!("{offset:+}\n")).unwrap();
        fs::rename(draft, self.folder.path().join("offset")).unwrap();
    }

    fn start(&self, mut command: Command) -> Server {
        command
            .env("LD_PRELOAD", faketime())
            .env("FAKETIME_TIMESTAMP_FILE", self.folder.path().join("offset"))
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let server = Server::start(command);
        self.started.lock().unwrap().push(server.pid().as_raw_nonzero().get().cast_unsigned());
        server
    }
}

impl Drop for Host {
    /// Removes the shared memory that the library leaves behind.
    fn drop(&mut self) {
        for id in self.started.lock().unwrap().iter() {
            for name in ["faketime_shm_", "sem.faketime_sem_"] {
                drop(fs::remove_file(format!("/dev/shm/{name}{id}")));
            }
        }
    }
}

/// Returns the tokens of a user who signed in 65 minutes ago. The access token has expired.
async fn expired_tokens(deployment: &Deployment) -> Tokens {
    let folder = TempDir::new().unwrap();
    let settings = Settings::in_folder(&folder).with("database.url", &deployment.url);
    let config = settings.with_master_key(&deployment.master_key()).config();
    let then = Timestamp::from_micros((Clock::system().now().seconds() - 65 * 60) * 1_000_000);
    let app = startup::open(&config, Clock::frozen(then), &Arc::default()).await.unwrap();
    create_user(&app, &Name::parse("john").unwrap(), &"my_password".to_owned().into(), Actor::Operator).await.unwrap();
    let pair = login(&app, login_attempt("john", "my_password")).await.unwrap();
    let tokens =
        Tokens { access: pair.access_token.expose().to_owned(), refresh: pair.refresh_token.expose().to_owned() };
    app.db.close().await.unwrap();
    tokens
}

/// The number of violations of each kind.
#[derive(Debug, Default, PartialEq, Eq)]
struct Violations {
    accepted: usize,
    logouts: usize,
    extended_lockouts: usize,
}

/// What must hold after every step: a revoked session stays revoked, and no lockout is longer than configured.
struct Invariants {
    revoked: Tokens,
    locked_out: String,
}

impl Invariants {
    /// Signs a user in and out, and locks another one out.
    async fn new(server: &Server, name: &str) -> Self {
        let (revoked, locked_out) = (server.sign_in(name).await, format!("not_{name}"));
        let logout = server.call("POST", "/logout").bearer(&revoked.access).send().await;
        assert_eq!(logout.status, 204);
        server.log_in(&locked_out, "wrong").await.is_problem(401, "invalid_credentials");
        Self { revoked, locked_out }
    }

    async fn check(&self, server: &Server, count: &mut Violations) {
        count.accepted += usize::from(server.accepts(&self.revoked).await);
        count.accepted += usize::from(server.refresh(&self.revoked.refresh).await.status != 401);
        let response = server.log_in(&self.locked_out, "my_password").await;
        if response.status == 429 {
            let wait: u64 = response.header("retry-after").parse().unwrap();
            count.extended_lockouts += usize::from(wait > LOCKOUT);
        }
    }
}

/// A session that lost the response to its last refresh.
struct LostResponse {
    before: Tokens,
    successor: Tokens,
}

impl LostResponse {
    async fn new(server: &Server, name: &str) -> Self {
        let before = server.sign_in(name).await;
        let successor = Tokens::of(&server.refresh(&before.refresh).await);
        Self { before, successor }
    }

    /// Sends the old token again, and continues with the successor.
    async fn check(&self, server: &Server, count: &mut Violations) {
        let again = server.refresh(&self.before.refresh).await;
        if again.status != 200 || Tokens::of(&again).refresh != self.successor.refresh {
            count.logouts += 1;
            return;
        }
        let next = server.refresh(&self.successor.refresh).await;
        count.logouts += usize::from(next.status != 200 || !server.accepts(&Tokens::of(&next)).await);
    }

    /// Sends a token that is two generations old, and then the newest.
    async fn replay(&self, server: &Server, count: &mut Violations) {
        let newest = Tokens::of(&server.refresh(&self.successor.refresh).await);
        for tokens in [&self.before, &newest] {
            count.accepted += usize::from(server.refresh(&tokens.refresh).await.status != 401);
        }
    }
}

/// Waits until the server has noticed the `number`th step. On SQLite the log shows it. On the others the server uses
/// the database's clock and logs nothing, so the first steps wait for longer than the synchronization interval.
async fn wait_until_step_noticed(deployment: &Deployment, number: usize) {
    let begun = Instant::now();
    if engine() != "SQLite" && number <= 4 {
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
    while engine() == "SQLite" && deployment.logs().matches(STEPPED).count() < number {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "the server has not noticed the step: {}",
            deployment.logs()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[apply(trial)]
async fn clock_jump_of_an_hour_signs_no_one_out_r20() {
    let deployment = Deployment::new().await;
    let expired = Box::pin(expired_tokens(&deployment)).await;
    let host = Host::new(0);
    let mut command = deployment.command();
    command.env("VESTIBULE_LIMITS__LOCKOUT_THRESHOLD", "1");
    command.env("VESTIBULE_LIMITS__LOCKOUT_DURATION", format!("{LOCKOUT}s"));
    let server = host.start(command);
    let (number, mut jumps, mut count) = (rounds(1, 5), 0, Violations::default());
    for round in 0..number {
        let name = format!("jane{round}");
        server.register(&name).await;
        let invariants = Invariants::new(&server, &name).await;
        for offset in [HOUR, 0, -HOUR, 0] {
            let mut sessions = Vec::new();
            for _ in 0..SESSIONS {
                sessions.push(LostResponse::new(&server, &name).await);
            }
            let (early, late) = sessions.split_at(SESSIONS / 2);
            host.set(offset);
            jumps += 1;
            invariants.check(&server, &mut count).await;
            for lost in early {
                lost.check(&server, &mut count).await;
            }
            wait_until_step_noticed(&deployment, jumps).await;
            invariants.check(&server, &mut count).await;
            for lost in &late[1..] {
                lost.check(&server, &mut count).await;
            }
            late[0].replay(&server, &mut count).await;
        }
    }
    count.logouts += usize::from(server.refresh(&expired.refresh).await.status != 200);
    server.stop();
    let seen = if engine() == "SQLite" { jumps } else { 0 };
    assert_eq!(deployment.logs().matches(STEPPED).count(), seen, "{}", deployment.logs());
    let Violations { accepted, logouts, extended_lockouts } = count;
    let sessions = jumps * SESSIONS;
    let row = ResultRow {
        id: "R20",
        scenario: "the host's clock jumps by an hour, both ways",
        rounds: number,
        wrongly_accepted: Some(accepted),
        notes: format!(
            "{jumps} jumps, {sessions} sessions: {logouts} forced logouts, {extended_lockouts} lockouts longer than configured"
        ),
        ..ResultRow::default()
    };
    row.write();
    assert_eq!(count, Violations::default());
}

/// Sends a token many times at once, to the instances in turn. Returns its successors, and how many callers got none.
async fn refresh_in_parallel(servers: &[Server; 2], tokens: &Tokens) -> (BTreeSet<String>, usize) {
    let responses = join_all((0..CALLERS).map(|number| servers[number % 2].refresh(&tokens.refresh))).await;
    let good = responses.iter().filter(|response| response.status == 200);
    let successors = good.map(|response| Tokens::of(response).refresh).collect();
    (successors, responses.iter().filter(|response| response.status != 200).count())
}

/// How two instances treat each other's tokens, counted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Exchange {
    /// Valid tokens that were rejected.
    rejected: usize,
    /// Tokens of ended sessions that were accepted.
    accepted: usize,
    /// Successors of tokens that many callers sent at once.
    successors: usize,
    /// Callers that got no successor, and successors that were rejected.
    logouts: usize,
}

impl Exchange {
    /// Creates tokens at one instance and sends them to the other, or to both.
    async fn exchange_tokens(&mut self, servers: &[Server; 2], one: &Server, other: &Server, name: &str) {
        let tokens = one.sign_in(name).await;
        self.rejected += usize::from(!other.accepts(&tokens).await);
        let next = other.refresh(&tokens.refresh).await;
        self.rejected += usize::from(next.status != 200 || !one.accepts(&Tokens::of(&next)).await);

        let (successors, losers) = refresh_in_parallel(servers, &one.sign_in(name).await).await;
        self.successors += successors.len();
        self.logouts += losers;
        for token in successors {
            let next = other.refresh(&token).await;
            self.logouts += usize::from(next.status != 200);
        }

        let ended = one.sign_in(name).await;
        assert_eq!(one.call("POST", "/logout").bearer(&ended.access).send().await.status, 204);
        self.accepted += refresh_in_parallel(servers, &ended).await.0.len();
        self.accepted += usize::from(one.accepts(&ended).await) + usize::from(other.accepts(&ended).await);
    }
}

/// On SQLite all instances must be on one host, so the test only asserts that no token of an ended session is accepted.
#[apply(trial)]
async fn hosts_with_clocks_90_seconds_apart_work_together_r21() {
    let deployment = Deployment::new().await;
    let expired = Box::pin(expired_tokens(&deployment)).await;
    let hosts = [Host::new(0), Host::new(90)];
    let servers = [hosts[0].start(deployment.command()), hosts[1].start(deployment.command())];
    let [a, b] = &servers;
    let (number, mut exchange) = (rounds(2, 20), Exchange::default());
    for round in 0..number {
        let name = format!("jane{round}");
        a.register(&name).await;
        exchange.exchange_tokens(&servers, a, b, &name).await;
        exchange.exchange_tokens(&servers, b, a, &name).await;
        exchange.accepted += usize::from(a.accepts(&expired).await) + usize::from(b.accepts(&expired).await);
    }
    for server in servers {
        server.stop();
    }
    let Exchange { rejected, accepted, successors, logouts } = exchange;
    let races = 2 * number;
    let what =
        if engine() == "SQLite" { "callers rejected (an SQLite file is for one host)" } else { "forced logouts" };
    let row = ResultRow {
        id: "R21",
        scenario: "two hosts 90 seconds apart",
        rounds: number,
        wrongly_accepted: Some(accepted),
        notes: format!(
            "{rejected} tokens rejected, {races} times {CALLERS} callers with one token: {successors} successors, {logouts} \
             {what}"
        ),
        ..ResultRow::default()
    };
    row.write();
    let logs = deployment.logs();
    assert_eq!((accepted, logs.matches(STEPPED).count()), (0, 0), "{logs}");
    assert!(successors <= races);
    if engine() != "SQLite" {
        assert_eq!(exchange, Exchange { successors: races, ..Exchange::default() }, "{logs}");
        assert_eq!(logs.matches(CLOCK_DIFFERS).count(), 1, "{logs}");
    }
}
