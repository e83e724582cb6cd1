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
    app::{Tokens, login_attempt},
    rounds,
};

/// Another connection that holds locks until it commits.
struct LockHolder {
    db: DatabaseConnection,
}

impl LockHolder {
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
    async fn holding(app: &TestApp, statement: &str) -> Self {
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
async fn wait_for_hashes(app: &TestApp, before: u64, number: u64) {
    while app.app.hasher.computed() < before + number {
        tokio::task::yield_now().await;
    }
}

/// Returns a service whose hashes take long enough for something else to happen in the meantime.
async fn app_with_slow_hashing() -> TestApp {
    let slow = TestApp::builder().setting("passwords.hash_memory", "64MiB").setting("passwords.hash_iterations", 4);
    slow.setting("passwords.queue_timeout", "30s").start().await
}

#[apply(trial)]
async fn login_fails_if_the_user_changes_while_it_hashes() {
    for change in [
        "UPDATE \"user\" SET state = 'disabled'",
        "UPDATE \"user\" SET password_changed_at = password_changed_at + 1",
        "DELETE FROM \"user\"",
    ] {
        let app = app_with_slow_hashing().await;
        app.create_user("john", "my_password").await;
        let before = app.app.hasher.computed();
        let meanwhile = async {
            wait_for_hashes(&app, before, 1).await;
            app.sql(change).await;
        };
        let (outcome, ()) = join(login(&app.app, login_attempt("john", "my_password")), meanwhile).await;
        assert!(matches!(outcome, Err(LoginError::InvalidCredentials)), "{change}: {outcome:?}");
        assert_eq!(app.count("session").await, 0, "{change}");
    }
}

/// Returns the caller that these tokens authenticate.
async fn caller(app: &TestApp, tokens: &Tokens) -> Caller {
    authenticate(&app.app, &tokens.access.clone().into()).await.unwrap()
}

#[apply(trial)]
async fn ended_session_cannot_set_a_password_s13() {
    let app = app_with_slow_hashing().await;
    app.create_user("john", "my_password").await;
    let thief = app.sign_in("john", "my_password").await;
    let owner = app.sign_in("john", "my_password").await;
    let [thief, kept] = [caller(&app, &thief).await, caller(&app, &owner).await];
    let before = app.app.hasher.computed();
    let meanwhile = async {
        wait_for_hashes(&app, before, 2).await;
        revoke_all_others(&app.app, &kept, &login_attempt("john", "").client).await.unwrap();
    };
    let (current, new) = ("my_password".to_owned().into(), "a better password".to_owned().into());
    let client = login_attempt("john", "").client;
    let change = change_password(&app.app, &thief, &client, &current, &new);
    let (outcome, ()) = Box::pin(join(change, meanwhile)).await;
    assert!(matches!(outcome, Err(ChangePasswordError::InvalidToken)), "{outcome:?}");
    assert!(app.accepts(&owner.access).await);
    app.access_token("john", "my_password").await;
}

#[apply(trial)]
async fn cleanup_keeps_a_session_that_is_refreshed_meanwhile() {
    let app = TestApp::builder().setting("sessions.idle_lifetime", "60s").start().await;
    app.create_user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    app.advance(60);
    let holder = LockHolder::new(&app).await;
    let release = async {
        // By now the cleanup has found the session and waits for its row.
        tokio::time::sleep(Duration::from_millis(100)).await;
        holder.sql("UPDATE session SET idle_expires_at = idle_expires_at + 60000000").await;
        holder.commit().await;
    };
    let (removed, ()) = join(run_cleanup(&app.app), release).await;
    assert_eq!(removed.unwrap().sessions, 0);
    assert!(app.accepts(&tokens.access).await);
}

#[apply(trial)]
async fn cleanup_keeps_a_known_network_that_is_used_meanwhile() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    app.access_token("john", "my_password").await;
    app.advance(30 * 24 * 60 * 60);
    let holder = LockHolder::holding(&app, "UPDATE known_network SET last_login_at = last_login_at + 60000000").await;
    let (removed, ()) = join(run_cleanup(&app.app), holder.commit_later()).await;
    assert_eq!(removed.unwrap().known_networks, 0);
    assert_eq!(app.count("known_network").await, 1);
}

#[apply(trial)]
async fn cleanup_keeps_a_rate_limit_that_is_used_meanwhile() {
    let app = TestApp::new().await;
    assert!(login(&app.app, login_attempt("john", "my_password")).await.is_err());
    app.advance(24 * 60 * 60);
    let holder = LockHolder::holding(&app, "UPDATE rate_limit SET expires_at = expires_at + 172800000000").await;
    let (removed, ()) = join(run_cleanup(&app.app), holder.commit_later()).await;
    assert_eq!(removed.unwrap().rate_limits, 0);
}

#[apply(trial)]
async fn known_network_that_is_removed_during_a_login_is_recorded_again() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    app.access_token("john", "my_password").await;
    let holder = LockHolder::holding(&app, "DELETE FROM known_network").await;
    let login = login(&app.app, login_attempt("john", "my_password"));
    let (outcome, ()) = join(login, holder.commit_later()).await;
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(app.count("known_network").await, 1);
}

#[apply(trial)]
async fn token_that_was_current_on_arrival_does_not_count_as_reuse() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    let client = login_attempt("john", "").client;
    let presented = tokens.refresh.clone().into();
    for _ in 0..rounds(3, 20) {
        let tokens = app.sign_in("john", "my_password").await;
        let presented = tokens.refresh.clone().into();
        let holder = LockHolder::new(&app).await;
        let release = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            holder.sql("UPDATE session SET counter = counter + 2").await;
            holder.commit().await;
        };
        let (outcome, ()) = join(refresh(&app.app, &presented, &client), release).await;
        assert!(matches!(outcome, Err(RefreshError::InvalidToken)), "{outcome:?}");
        assert!(app.accepts(&tokens.access).await, "the session must continue");
    }
    assert_eq!(app.misuse_events().await.len(), 0);
    let outcome = refresh(&app.app, &presented, &client).await;
    assert!(
        matches!(outcome, Err(RefreshError::InvalidToken)),
        "a token that is already old when it arrives: {outcome:?}"
    );
    assert_eq!(app.misuse_events().await.len(), 1);
}

/// Returns how many statements wait for a lock on PostgreSQL.
async fn count_lock_waits(db: &impl ConnectionTrait) -> i64 {
    let statement = "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND \
                     datname = current_database()";
    let row = db.query_one_raw(Statement::from_string(DatabaseBackend::Postgres, statement)).await;
    row.unwrap().unwrap().try_get("", "n").unwrap()
}

#[apply(trial)]
#[on(PostgreSQL)]
async fn disabling_ends_the_session_of_an_earlier_login_in_every_isolation_level() {
    let app = TestApp::new().await;
    let john = app.create_user("john", "my_password").await;
    for level in ["read committed", "repeatable read", "serializable"] {
        let alter = format!("ALTER DATABASE %I SET default_transaction_isolation = ''{level}''");
        app.sql(&format!("DO $$ BEGIN EXECUTE format('{alter}', current_database()); END $$")).await;
        let other = app.start_instance().await;
        let holder = LockHolder::new(&app).await;
        let login = tokio::spawn({
            let app = Arc::clone(&other.app);
            async move { login(&app, login_attempt("john", "my_password")).await }
        });
        while count_lock_waits(&app.app.db).await < 1 {
            tokio::task::yield_now().await;
        }
        let disable = tokio::spawn({
            let app = Arc::clone(&other.app);
            async move { disable_user(&app, john.id).await }
        });
        while count_lock_waits(&app.app.db).await < 2 {
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
async fn locked_row_affects_only_its_user() {
    let app = TestApp::builder().setting("database.max_connections", "4").start().await;
    app.create_user("jane", "my_password").await;
    let jane = app.sign_in("jane", "my_password").await;
    app.create_user("john", "my_password").await;
    if app.app.db.get_database_backend() == DatabaseBackend::Sqlite {
        // SQLite has no row locks. Writers wait for the one writer, and readers do not wait.
        let holder = LockHolder::new(&app).await;
        assert!(app.accepts(&jane.access).await);
        holder.commit().await;
        return;
    }
    let holder = LockHolder::holding(&app, "SELECT id FROM \"user\" WHERE username = 'john' FOR UPDATE").await;
    let body = json!({ "username": "john", "password": "my_password" });
    let logins = futures_util::future::join_all((0..4).map(|_| app.post("/login").json(&body).send()));
    let others = async {
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_secs(4) {
            let response = app.get("/me").bearer(&jane.access).send().await;
            assert_eq!(response.status, 200, "{response:?}");
        }
    };
    let (responses, ()) = join(logins, others).await;
    for response in responses {
        response.is_problem(503, "unavailable");
    }
    holder.commit().await;
    app.access_token("john", "my_password").await;
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
    app.create_user("john", "my_password").await;
    let statement = Statement::from_string(DatabaseBackend::MySql, "SELECT CAST(CONNECTION_ID() AS SIGNED) AS n");
    let kill = if kill.contains("{id}") {
        let row = app.app.db.query_one_raw(statement).await.unwrap().unwrap();
        kill.replace("{id}", &row.try_get::<i64>("", "n").unwrap().to_string())
    } else {
        kill.to_owned()
    };
    let holder = LockHolder::new(&app).await;
    let before = app.app.hasher.computed();
    let body = json!({ "username": "john", "password": "my_password" });
    let release = async {
        wait_for_hashes(&app, before, 1).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        holder.sql(&kill).await;
    };
    let (response, ()) = join(app.post("/login").json(&body).send(), release).await;
    response.is_problem(503, "unavailable");
    holder.commit().await;
    app.access_token("john", "my_password").await;
}

/// Password changes from clients behind one IP share a rate limit. Every transaction takes its locks in the same order,
/// so none has to be retried because of another.
#[apply(trial)]
async fn password_changes_cause_no_write_conflicts() {
    let app = TestApp::builder().setting("passwords.queue_length", "1000").start().await;
    let names = ["john", "jane", "jack", "jill"];
    let mut tokens = Vec::new();
    for name in names {
        app.create_user(name, "my_password").await;
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
        assert!(changed.iter().all(|response| response.status == 204), "{changed:?}");
        assert!(signed_in.iter().all(|response| [200, 401].contains(&response.status)), "{signed_in:?}");
    }
    assert_eq!(conflicts() - before, 0);
}
