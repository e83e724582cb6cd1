//! Rows of rate limits: their content and number, and the effects of concurrent writers and wrong clocks.

use std::{fs, time::Duration};

use futures_util::future::{join, join_all};
use sea_orm::{ConnectionTrait as _, EntityTrait as _};
use vestibule::{
    domain::auth::refresh::{RefreshError, refresh},
    entity::{known_network, rate_limit},
    jobs::run_cleanup,
    store,
};

use crate::{
    rate_limits::{app_with_default_limits, client_ip, fail_until_limited, try_login},
    support::{app::client_at, rounds},
};

/// Returns the resident memory of this process.
fn resident_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or("unknown", str::trim).to_owned()
}

#[apply(trial)]
async fn number_of_rate_limit_rows_is_bounded_s31() {
    let app = app_with_default_limits().await;
    let number = rounds(2_000, 500_000);
    let mut early = String::new();
    for batch in 0..number / 100 {
        if batch == number / 1_000 {
            early = resident_memory();
        }
        let tries = (0..100).map(|place| {
            let (app, number) = (&app, 100 * batch + place);
            async move { try_login(app, &format!("name{number}"), "wrong", client_ip(number)).await }
        });
        assert!(join_all(tries).await.iter().all(Result::is_ok));
    }
    let rows = 2 * number as u64;
    println!(
        "rate limits: {number} names and as many clients, memory {early} after the first tenth, {} at the end",
        resident_memory()
    );
    assert_eq!(app.count("rate_limit").await.unsigned_abs(), rows);
    app.advance(24 * 60 * 60);
    assert_eq!(run_cleanup(&app.app).await.unwrap().rate_limits, rows);
    assert_eq!(app.count("rate_limit").await, 0);
}

#[apply(trial)]
async fn names_and_addresses_are_stored_only_as_hashes() {
    let app = app_with_default_limits().await;
    app.create_user("john", "my_password").await;
    let client = client_at(client_ip(77));
    assert_eq!(try_login(&app, "john", "my_password", client.ip).await, Ok(true));
    assert_eq!(try_login(&app, "john", "wrong", client_ip(78)).await, Ok(false));
    let rejected = refresh(&app.app, &"nonsense".to_owned().into(), &client).await;
    assert!(matches!(rejected, Err(RefreshError::InvalidToken)));
    let rows = rate_limit::Entity::find().all(&app.app.db).await.unwrap();
    let networks = known_network::Entity::find().all(&app.app.db).await.unwrap();
    assert!(rows.len() > 2 && networks.len() == 1);
    let hash = regex::Regex::new("^[A-Za-z0-9_-]{43}$").unwrap();
    for row in rows {
        assert!(hash.is_match(&row.subject) && row.last_name.is_none_or(|name| hash.is_match(&name)));
    }
    assert!(hash.is_match(&networks[0].network));
}

/// Another login or the cleanup deletes the row while a login attempt waits for it.
#[apply(trial)]
#[on(Servers)]
async fn deleted_rate_limit_is_created_again() {
    let app = app_with_default_limits().await;
    app.create_user("john", "my_password").await;
    assert_eq!(try_login(&app, "john", "wrong", client_ip(1)).await, Ok(false));
    let other = store::connect(app.config.database.url.secret(), 1).await.unwrap();
    let delete = async {
        other.execute_unprepared("BEGIN").await.unwrap();
        other.execute_unprepared("SELECT subject FROM rate_limit FOR UPDATE").await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        other.execute_unprepared("DELETE FROM rate_limit").await.unwrap();
        other.execute_unprepared("COMMIT").await.unwrap();
    };
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        try_login(&app, "john", "wrong", client_ip(1)).await
    };
    assert_eq!(join(delete, meanwhile).await.1, Ok(false));
    assert_eq!(app.count("rate_limit").await, 2);
}

#[apply(trial)]
async fn small_clock_differences_cause_no_wait() {
    let app = app_with_default_limits().await;
    app.create_user("john", "my_password").await;
    for _ in 0..4 {
        assert_eq!(try_login(&app, "john", "wrong", client_ip(1)).await, Ok(false));
        app.sql("UPDATE rate_limit SET until = until + 4000000 WHERE failures > 0").await;
    }
    assert_eq!(try_login(&app, "john", "my_password", client_ip(1)).await, Ok(true));
}

#[apply(trial)]
async fn rows_from_a_clock_that_was_ahead_block_no_one() {
    let app = app_with_default_limits().await;
    app.create_user("john", "my_password").await;
    for _ in 0..30 {
        assert_eq!(try_login(&app, "john", "my_password", client_ip(1)).await, Ok(true));
    }
    assert_eq!(try_login(&app, "john", "my_password", client_ip(1)).await, Err(2));
    app.sql("UPDATE rate_limit SET until = until + 3600000000, expires_at = expires_at + 3600000000").await;
    assert_eq!(try_login(&app, "john", "my_password", client_ip(1)).await, Ok(true));
    fail_until_limited(&app, "john", 10).await;
    app.sql("UPDATE rate_limit SET until = until + 3600000000, expires_at = expires_at + 3600000000").await;
    assert_eq!(try_login(&app, "john", "my_password", client_ip(100)).await, Ok(true));
}
