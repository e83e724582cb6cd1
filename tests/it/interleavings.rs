//! Two operations at once, where one is stopped at its most delicate moment: another connection holds the lock that it
//! needs next.

use std::{sync::Arc, time::Duration};

use futures_util::future::{join, join_all};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, Statement};
use serde_json::json;
use vestibule::{
    domain::{
        admin::users::{disable_user, enable_user},
        auth::{
            authenticate::{Caller, authenticate},
            change_password::{ChangePasswordError, change_password},
            login::{LoginError, login},
            refresh::{RefreshError, refresh},
            sessions::revoke_all_others,
        },
    },
    jobs::run_cleanup,
    store,
};

use crate::support::{
    TestApp,
    app::{Tokens, attempt},
    rounds,
};

/// Another connection that holds locks until it commits.
struct Holder {
    db: DatabaseConnection,
}

impl Holder {
    async fn idle(app: &TestApp) -> Self {
        Self { db: store::connect(app.config.database.url.secret(), 1).await.unwrap() }
    }

    /// Locks all rows of users and sessions.
    async fn new(app: &TestApp) -> Self {
        let holder = Self::idle(app).await;
        if holder.db.get_database_backend() == DatabaseBackend::Sqlite {
            holder.sql("BEGIN IMMEDIATE").await;
        } else {
            holder.sql("BEGIN").await;
            holder.sql("SELECT id FROM session FOR UPDATE").await;
            holder.sql("SELECT id FROM \"user\" FOR UPDATE").await;
        }
        holder
    }

    /// Holds the locks that a statement takes.
    async fn of(app: &TestApp, statement: &str) -> Self {
        let holder = Self::idle(app).await;
        holder.sql("BEGIN").await;
        holder.sql(statement).await;
        holder
    }

    async fn sql(&self, statement: &str) {
        let mysql = self.db.get_database_backend() == DatabaseBackend::MySql;
        let statement = if mysql { statement.replace('"', "`") } else { statement.to_owned() };
        self.db.execute_unprepared(&statement).await.unwrap();
    }

    async fn commit(self) {
        self.sql("COMMIT").await;
    }

    /// Commits after the operations that need a row have found it and wait for its lock.
    async fn commit_later(self) {
        tokio::time::sleep(Duration::from_millis(300)).await;
        self.commit().await;
    }
}

/// Waits until the service has started `number` more hashes than `before`.
async fn hashing(app: &TestApp, before: u64, number: u64) {
    while app.app.hasher.computed() < before + number {
        tokio::task::yield_now().await;
    }
}

/// Returns a service whose hashes take long enough for something else to happen in the meantime.
async fn deliberate() -> TestApp {
    let slow = TestApp::builder().setting("passwords.hash_memory", "64MiB").setting("passwords.hash_iterations", 4);
    slow.setting("passwords.queue_timeout", "30s").start().await
}

#[apply(trial)]
async fn login_loses_against_what_happens_while_it_hashes() {
    for change in [
        "UPDATE \"user\" SET state = 'disabled'",
        "UPDATE \"user\" SET password_changed_at = password_changed_at + 1",
        "DELETE FROM \"user\"",
    ] {
        let app = deliberate().await;
        app.user("john", "my_password").await;
        let before = app.app.hasher.computed();
        let meanwhile = async {
            hashing(&app, before, 1).await;
            app.sql(change).await;
        };
        let (outcome, ()) = join(login(&app.app, attempt("john", "my_password")), meanwhile).await;
        assert!(matches!(outcome, Err(LoginError::InvalidCredentials)), "{change}: {outcome:?}");
        assert_eq!(app.count("session").await, 0, "{change}");
    }
}

/// Returns the caller that these tokens authenticate.
async fn caller(app: &TestApp, tokens: &Tokens) -> Caller {
    authenticate(&app.app, &tokens.access.clone().into()).await.unwrap()
}

#[apply(trial)]
async fn ended_session_sets_no_password_s13() {
    let app = deliberate().await;
    app.user("john", "my_password").await;
    let thief = app.sign_in("john", "my_password").await;
    let owner = app.sign_in("john", "my_password").await;
    let [thief, kept] = [caller(&app, &thief).await, caller(&app, &owner).await];
    let before = app.app.hasher.computed();
    let meanwhile = async {
        hashing(&app, before, 2).await;
        revoke_all_others(&app.app, &kept, &attempt("john", "").client).await.unwrap();
    };
    let (current, new) = ("my_password".to_owned().into(), "a better password".to_owned().into());
    let client = attempt("john", "").client;
    let change = change_password(&app.app, &thief, &client, &current, &new);
    let (outcome, ()) = Box::pin(join(change, meanwhile)).await;
    assert!(matches!(outcome, Err(ChangePasswordError::InvalidToken)), "{outcome:?}");
    assert!(app.knows(&owner.access).await);
    app.token("john", "my_password").await;
}

#[apply(trial)]
async fn renewed_session_is_not_cleared_away() {
    let app = TestApp::builder().setting("sessions.idle_lifetime", "60s").start().await;
    app.user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    app.advance(60);
    let holder = Holder::new(&app).await;
    let release = async {
        // By now the cleanup has found the session and waits for its row.
        tokio::time::sleep(Duration::from_millis(100)).await;
        holder.sql("UPDATE session SET idle_expires_at = idle_expires_at + 60000000").await;
        holder.commit().await;
    };
    let (removed, ()) = join(run_cleanup(&app.app), release).await;
    assert_eq!(removed.unwrap().sessions, 0);
    assert!(app.knows(&tokens.access).await);
}

#[apply(trial)]
async fn device_that_is_used_again_is_not_cleared_away() {
    let app = TestApp::new().await;
    app.user("john", "my_password").await;
    app.token("john", "my_password").await;
    app.advance(30 * 24 * 60 * 60);
    let holder = Holder::of(&app, "UPDATE known_network SET last_login_at = last_login_at + 60000000").await;
    let (removed, ()) = join(run_cleanup(&app.app), holder.commit_later()).await;
    assert_eq!(removed.unwrap().known_networks, 0);
    assert_eq!(app.count("known_network").await, 1);
}

#[apply(trial)]
async fn rate_limit_in_use_is_not_deleted() {
    let app = TestApp::new().await;
    assert!(login(&app.app, attempt("john", "my_password")).await.is_err());
    app.advance(24 * 60 * 60);
    let holder = Holder::of(&app, "UPDATE rate_limit SET expires_at = expires_at + 172800000000").await;
    let (removed, ()) = join(run_cleanup(&app.app), holder.commit_later()).await;
    assert_eq!(removed.unwrap().rate_limits, 0);
}

#[apply(trial)]
async fn device_that_is_cleared_away_meanwhile_is_remembered() {
    let app = TestApp::new().await;
    app.user("john", "my_password").await;
    app.token("john", "my_password").await;
    let holder = Holder::of(&app, "DELETE FROM known_network").await;
    let login = login(&app.app, attempt("john", "my_password"));
    let (outcome, ()) = join(login, holder.commit_later()).await;
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(app.count("known_network").await, 1);
}

#[apply(trial)]
async fn token_that_was_current_when_it_came_ends_nothing() {
    let app = TestApp::new().await;
    app.user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    let client = attempt("john", "").client;
    let presented = tokens.refresh.clone().into();
    for _ in 0..rounds(3, 20) {
        let tokens = app.sign_in("john", "my_password").await;
        let presented = tokens.refresh.clone().into();
        let holder = Holder::new(&app).await;
        let release = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            holder.sql("UPDATE session SET counter = counter + 2").await;
            holder.commit().await;
        };
        let (outcome, ()) = join(refresh(&app.app, &presented, &client), release).await;
        assert!(matches!(outcome, Err(RefreshError::InvalidToken)), "{outcome:?}");
        assert!(app.knows(&tokens.access).await, "the session must continue");
    }
    assert_eq!(app.misuses().await.len(), 0);
    let outcome = refresh(&app.app, &presented, &client).await;
    assert!(matches!(outcome, Err(RefreshError::InvalidToken)), "a token that is already old when it arrives: {outcome:?}");
    assert_eq!(app.misuses().await.len(), 1);
}

/// Returns how many statements wait for a lock on PostgreSQL.
async fn waiting(db: &impl ConnectionTrait) -> i64 {
    let statement = "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND \
                     datname = current_database()";
    let row = db.query_one_raw(Statement::from_string(DatabaseBackend::Postgres, statement)).await;
    row.unwrap().unwrap().try_get("", "n").unwrap()
}

#[apply(trial)]
#[on(PostgreSQL)]
async fn session_of_a_login_before_is_ended_in_every_isolation_level() {
    let app = TestApp::new().await;
    let john = app.user("john", "my_password").await;
    for level in ["read committed", "repeatable read", "serializable"] {
        let alter = format!("ALTER DATABASE %I SET default_transaction_isolation = ''{level}''");
        app.sql(&format!("DO $$ BEGIN EXECUTE format('{alter}', current_database()); END $$")).await;
        let other = app.another().await;
        let holder = Holder::new(&app).await;
        let login = tokio::spawn({
            let app = Arc::clone(&other.app);
            async move { login(&app, attempt("john", "my_password")).await }
        });
        while waiting(&app.app.db).await < 1 {
            tokio::task::yield_now().await;
        }
        let disable = tokio::spawn({
            let app = Arc::clone(&other.app);
            async move { disable_user(&app, john.id).await }
        });
        while waiting(&app.app.db).await < 2 {
            tokio::task::yield_now().await;
        }
        holder.commit().await;
        let login = login.await.unwrap();
        assert!(login.is_ok(), "{level}: the login came first: {login:?}");
        disable.await.unwrap().unwrap();
        assert_eq!(app.count("session").await, 0, "{level}");
        enable_user(&app.app, john.id).await.unwrap();
    }
}

#[apply(trial)]
async fn held_row_hurts_its_account_only() {
    let app = TestApp::builder().setting("database.max_connections", "4").start().await;
    app.user("jane", "my_password").await;
    let jane = app.sign_in("jane", "my_password").await;
    app.user("john", "my_password").await;
    if app.app.db.get_database_backend() == DatabaseBackend::Sqlite {
        // SQLite has no row locks. Writers wait for the one writer, and readers do not wait.
        let holder = Holder::new(&app).await;
        assert!(app.knows(&jane.access).await);
        holder.commit().await;
        return;
    }
    let holder = Holder::of(&app, "SELECT id FROM \"user\" WHERE username = 'john' FOR UPDATE").await;
    let body = json!({ "username": "john", "password": "my_password" });
    let logins = futures_util::future::join_all((0..4).map(|_| app.post("/login").json(&body).send()));
    let others = async {
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_secs(4) {
            let answer = app.get("/me").bearer(&jane.access).send().await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    };
    let (answers, ()) = join(logins, others).await;
    for answer in answers {
        answer.is_problem(503, "unavailable");
    }
    holder.commit().await;
    app.token("john", "my_password").await;
}

#[apply(trial)]
async fn lost_connection_is_503() {
    let app = TestApp::builder().setting("database.max_connections", "1").start().await;
    let kill = match app.app.db.get_database_backend() {
        DatabaseBackend::Postgres => {
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND wait_event_type = 'Lock' AND datname = current_database()"
        }
        DatabaseBackend::Sqlite => return,
        _ => "KILL CONNECTION {id}",
    };
    app.user("john", "my_password").await;
    let statement = Statement::from_string(DatabaseBackend::MySql, "SELECT CAST(CONNECTION_ID() AS SIGNED) AS n");
    let kill = if kill.contains("{id}") {
        let row = app.app.db.query_one_raw(statement).await.unwrap().unwrap();
        kill.replace("{id}", &row.try_get::<i64>("", "n").unwrap().to_string())
    } else {
        kill.to_owned()
    };
    let holder = Holder::new(&app).await;
    let before = app.app.hasher.computed();
    let body = json!({ "username": "john", "password": "my_password" });
    let release = async {
        hashing(&app, before, 1).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        holder.sql(&kill).await;
    };
    let (answer, ()) = join(app.post("/login").json(&body).send(), release).await;
    answer.is_problem(503, "unavailable");
    holder.commit().await;
    app.token("john", "my_password").await;
}

/// Password changes from clients behind one IP share a rate limit. Every transaction takes its locks in the same order,
/// so none has to be retried because of another.
#[apply(trial)]
async fn password_changes_stand_in_nobodys_way() {
    let app = TestApp::builder().setting("passwords.queue_length", "1000").start().await;
    let names = ["john", "jane", "jack", "jill"];
    let mut tokens = Vec::new();
    for name in names {
        app.user(name, "my_password").await;
        tokens.push(app.sign_in(name, "my_password").await);
    }
    let conflicts = || {
        let text = app.app.metrics.text(vestibule::metrics::Gauges::default());
        let line =
            text.lines().find_map(|line| line.strip_prefix("vestibule_database_errors_total{kind=\"conflict\"} "));
        line.unwrap().parse::<u32>().unwrap()
    };
    let before = conflicts();
    let same = json!({ "current_password": "my_password", "new_password": "my_password" });
    for _ in 0..rounds(10, 100) {
        let setters = tokens.iter().map(|tokens| app.post("/me/password").bearer(&tokens.access).json(&same).send());
        let logins = names
            .iter()
            .chain(&names)
            .map(|name| app.post("/login").json(&json!({ "username": name, "password": "my_password" })).send());
        let (changed, signed_in) = join(join_all(setters), join_all(logins)).await;
        assert!(changed.iter().all(|answer| answer.status == 204), "{changed:?}");
        assert!(signed_in.iter().all(|answer| [200, 401].contains(&answer.status)), "{signed_in:?}");
    }
    assert_eq!(conflicts() - before, 0);
}
