//! Password hashing and storage.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sea_orm::EntityTrait as _;
use vestibule::{
    domain::{
        admin::users::disable_user,
        app::App,
        auth::login::{LoginError, login},
        password::{Cost, Hasher, HasherSettings, MIN_COST},
    },
    entity::user,
    error::ServiceError,
    startup,
};

use crate::support::{Settings, TestApp, app::login_attempt};

async fn stored_hashes(app: &TestApp) -> Vec<String> {
    let rows = user::Entity::find().all(&app.app.db).await.unwrap();
    rows.into_iter().map(|row| row.password_hash.expose().to_owned()).collect()
}

#[apply(trial)]
async fn default_cost_is_the_minimum_cost() {
    assert_eq!(Settings::default().config().passwords.cost(), MIN_COST);
    assert_eq!((MIN_COST.memory_kib, MIN_COST.iterations, MIN_COST.parallelism), (19_456, 2, 1));
    let settings = ["passwords.weak_hashing_for_tests", "passwords.hash_memory", "passwords.hash_iterations"];
    let app = settings.into_iter().fold(TestApp::builder(), |builder, key| builder.setting(key, "")).start().await;
    app.create_user("john", "my_password").await;
    assert!(stored_hashes(&app).await[0].starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    app.access_token("john", "my_password").await;
}

#[apply(trial)]
async fn hash_is_an_argon2id_phc_string_with_its_own_salt() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    app.create_user("jane", "my_password").await;
    let hashes = stored_hashes(&app).await;
    let form = regex::Regex::new(r"^\$argon2id\$v=19\$m=64,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$").unwrap();
    assert!(hashes.iter().all(|phc| form.is_match(phc)), "{hashes:?}");
    assert_ne!(hashes[0], hashes[1]);
}

#[apply(trial)]
async fn hash_with_extra_parameters_is_rejected() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let real = stored_hashes(&app).await.remove(0);
    for parameters in ["m=64,m=128,t=1,p=1", "m=64,t=1,p=1,p=2", "m=64,t=1,p=1,keyid=AAAA", "m=64,t=1,p=1,data=AAAA"] {
        let changed = real.replace("m=64,t=1,p=1", parameters);
        app.sql(&format!("UPDATE \"user\" SET password_hash = '{changed}'")).await;
        assert!(!try_login(&app.app, "my_password").await, "{parameters}");
    }
    app.sql(&format!("UPDATE \"user\" SET password_hash = '{real}'")).await;
    assert!(try_login(&app.app, "my_password").await);
}

/// Opens the same database with another hashing cost.
async fn reopen_with_cost(app: &TestApp, memory_kib: u32) -> App {
    let config = app.settings.clone().with("passwords.hash_memory", format!("{memory_kib}KiB")).config();
    startup::open(&config, app.app.clock.clone(), &Arc::default()).await.unwrap()
}

async fn try_login(app: &App, password: &str) -> bool {
    login(app, login_attempt("john", password)).await.is_ok()
}

#[apply(trial)]
async fn raised_cost_rehashes_at_the_next_successful_login() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let raised = reopen_with_cost(&app, 128).await;
    let before = stored_hashes(&app).await;
    assert!(!try_login(&raised, "wrong").await);
    assert_eq!(stored_hashes(&app).await, before);
    assert!(try_login(&raised, "my_password").await);
    assert!(stored_hashes(&app).await[0].contains("m=128,"));
    assert!(try_login(&raised, "my_password").await);
}

#[apply(trial)]
async fn raised_cost_rejects_no_parallel_login() {
    let app = TestApp::builder().setting("passwords.queue_length", "100").start().await;
    app.create_user("john", "my_password").await;
    let raised = reopen_with_cost(&app, 4096).await;
    let logins = (0..8).map(|_| try_login(&raised, "my_password"));
    assert!(futures_util::future::join_all(logins).await.into_iter().all(|signed_in| signed_in));
    assert!(stored_hashes(&app).await[0].contains("m=4096,"));
}

#[apply(trial)]
async fn lowered_cost_keeps_the_hash() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let before = stored_hashes(&app).await;
    assert!(try_login(&reopen_with_cost(&app, 32).await, "my_password").await);
    let fewer_passes_more_memory = Cost { memory_kib: 128, iterations: 1, parallelism: 1 };
    assert!(fewer_passes_more_memory.is_at_least(Cost { memory_kib: 64, iterations: 2, parallelism: 1 }));
    assert!(!Cost { memory_kib: 64, iterations: 1, parallelism: 1 }.is_at_least(fewer_passes_more_memory));
    assert_eq!(stored_hashes(&app).await, before);
}

/// Returns the shortest time of a few failing login attempts.
async fn fastest_failure(app: &App, name: &str, password: &str) -> Duration {
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        login(app, login_attempt(name, password)).await.unwrap_err();
        fastest = fastest.min(begun.elapsed());
    }
    fastest
}

#[apply(trial)]
async fn login_with_a_cheaper_hash_takes_as_long_as_with_a_current_one() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let disabled = app.create_user("jane", "my_password").await;
    disable_user(&app.app, disabled.id).await.unwrap();
    let raised = reopen_with_cost(&app, 65_536).await;
    let unknown = fastest_failure(&raised, "nobody", "my_password").await;
    // Without timing equalization they would take a thousandth of the time.
    for (name, password) in [("john", "wrong"), ("jane", "my_password"), ("jane", "wrong")] {
        let held = fastest_failure(&raised, name, password).await;
        assert!(held > unknown / 5, "{name} {password}: {held:?}, an unknown name {unknown:?}");
    }
    assert!(try_login(&raised, "my_password").await);
}

/// Returns a service with cheap hashing, and one on the same database with a single thread and slow hashing.
async fn app_with_slow_hasher(queue_timeout: &str) -> (TestApp, App) {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let settings = app.settings.clone().slow_hashing().with("passwords.queue_length", 100);
    let config = settings.with("passwords.queue_timeout", queue_timeout).with("passwords.hash_iterations", 3).config();
    let slow = startup::open(&config, app.app.clock.clone(), &Arc::default()).await.unwrap();
    (app, slow)
}

#[apply(trial)]
async fn timing_equalization_occupies_no_hashing_thread() {
    let (_app, slow) = app_with_slow_hasher("30s").await;
    let slow = Arc::new(slow);
    let spawn = || {
        let slow = Arc::clone(&slow);
        tokio::spawn(async move { try_login(&slow, "wrong").await })
    };
    let tries: Vec<_> = (0..8).map(|_| spawn()).collect();
    while slow.hasher.computed() < 8 {
        tokio::task::yield_now().await;
    }
    assert!(tries.iter().all(|held| !held.is_finished()));
    for held in tries {
        held.abort();
    }
}

#[apply(trial)]
async fn timing_equalization_respects_the_queue_timeout() {
    let (_app, slow) = app_with_slow_hasher("100ms").await;
    for name in ["john", "nobody"] {
        let rejected = login(&slow, login_attempt(name, "wrong")).await.unwrap_err();
        assert!(matches!(rejected, LoginError::Service(ServiceError::Busy { .. })), "{name}: {rejected:?}");
    }
}

#[apply(trial)]
async fn blocklist_is_long_enough_and_in_lowercase() {
    let list = include_str!("../../src/domain/password/common.txt");
    assert!(list.lines().count() >= 8000);
    assert!(list.lines().all(|line| line.chars().count() >= 8 && line.to_lowercase() == line));
    assert!(!list.lines().any(|line| line == "my_password"));
}

#[apply(trial)]
async fn hashing_threads_exit_when_the_hasher_is_dropped() {
    let named = |prefix: &str| {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().filter_map(Result::ok);
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        names.filter(|name| name.starts_with(prefix)).count()
    };
    let settings = HasherSettings {
        cost: Cost { memory_kib: 64, ..MIN_COST },
        threads: 100,
        queue_length: 1,
        queue_timeout: Duration::from_secs(1),
    };
    let hashing = Hasher::start(settings, &Arc::default()).unwrap();
    while named("hash-99") == 0 {
        tokio::task::yield_now().await;
    }
    drop(hashing);
    let ended = tokio::time::timeout(Duration::from_secs(30), async {
        while named("hash-99") > 0 {
            tokio::task::yield_now().await;
        }
    });
    ended.await.expect("the threads exit");
}

#[apply(trial)]
async fn abandoned_requests_are_not_hashed() {
    let app = TestApp::builder().slow_hashing().setting("passwords.queue_length", "100").start().await;
    let spawn = || {
        let app = Arc::clone(&app.app);
        tokio::spawn(async move { try_login(&app, "my_password").await })
    };
    let first = spawn();
    while app.app.hasher.computed() == 0 {
        tokio::task::yield_now().await;
    }
    let abandoned: Vec<_> = (0..20).map(|_| spawn()).collect();
    while app.app.hasher.queue_length() < 20 {
        tokio::task::yield_now().await;
    }
    for task in abandoned {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
    assert!(!first.await.unwrap() && !spawn().await.unwrap());
    assert_eq!(app.app.hasher.computed(), 2);
}
