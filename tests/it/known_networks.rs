//! Known networks: when a network becomes known, for how long, and how failed logins from it are limited.

use serde_json::json;
use vestibule::{
    domain::admin::users::{delete_user, disable_user, set_password},
    jobs::run_cleanup,
    secret::Password,
};

use crate::{
    rate_limits::{app_with_default_limits, client_ip, fail_until_limited, try_login},
    support::TestApp,
};

#[apply(trial)]
async fn known_network_has_its_own_rate_limit() {
    let app = app_with_default_limits().await;
    app.create_user("john", "my_password").await;
    let home = client_ip(1);
    assert_eq!(try_login(&app, "john", "my_password", home).await, Ok(true));
    for _ in 0..5 {
        assert_eq!(try_login(&app, "john", "wrong", home).await, Ok(false));
    }
    assert_eq!(try_login(&app, "john", "my_password", home).await, Err(1), "a known network is limited too");
    assert_eq!(try_login(&app, "john", "my_password", client_ip(2)).await, Ok(true), "other networks are not affected");
    app.advance(1);
    assert_eq!(try_login(&app, "john", "my_password", home).await, Ok(true));
}

#[apply(trial)]
async fn known_network_is_never_locked_out() {
    let app = TestApp::builder().default_limits().setting("limits.lockout_threshold", "5").start().await;
    app.create_user("john", "my_password").await;
    let home = client_ip(1);
    assert_eq!(try_login(&app, "john", "my_password", home).await, Ok(true));
    assert_eq!(fail_until_limited(&app, "john", 10).await, (5, 24 * 60 * 60));
    for _ in 0..5 {
        assert_eq!(try_login(&app, "john", "wrong", home).await, Ok(false));
    }
    assert_eq!(try_login(&app, "john", "my_password", home).await, Err(1));
}

#[apply(trial)]
async fn network_stays_known_while_it_is_used() {
    let app = app_with_default_limits().await;
    app.create_user("john", "my_password").await;
    for _ in 0..3 {
        assert_eq!(try_login(&app, "john", "my_password", client_ip(1)).await, Ok(true));
        app.advance(29 * 24 * 60 * 60);
    }
    fail_until_limited(&app, "john", 10).await;
    assert_eq!(try_login(&app, "john", "my_password", client_ip(1)).await, Ok(true));
}

#[apply(trial)]
async fn known_networks_are_limited_in_number_and_expire() {
    let app = app_with_default_limits().await;
    let john = app.create_user("john", "my_password").await;
    for number in 0..25 {
        assert_eq!(try_login(&app, "john", "my_password", client_ip(number)).await, Ok(true));
        app.advance(1);
    }
    assert_eq!(app.count("known_network").await, 20);
    fail_until_limited(&app, "john", 100).await;
    assert!(try_login(&app, "john", "my_password", client_ip(4)).await.is_err(), "the least recently used network");
    assert_eq!(try_login(&app, "john", "my_password", client_ip(5)).await, Ok(true));
    app.advance(30 * 24 * 60 * 60);
    fail_until_limited(&app, "john", 200).await;
    assert!(try_login(&app, "john", "my_password", client_ip(24)).await.is_err(), "after 30 days");
    assert_eq!(run_cleanup(&app.app).await.unwrap().known_networks, 20);
    delete_user(&app.app, john.id).await.unwrap();
    assert_eq!(app.count("known_network").await, 0);
}

#[apply(trial)]
async fn setting_a_password_forgets_known_networks() {
    let app = app_with_default_limits().await;
    let john = app.create_user("john", "my_password").await;
    let home = client_ip(1);
    assert_eq!(try_login(&app, "john", "my_password", home).await, Ok(true));
    fail_until_limited(&app, "john", 10).await;
    assert_eq!(try_login(&app, "john", "wrong", home).await, Ok(false), "the network is known");
    set_password(&app.app, &john, &Password::from("another_password".to_owned())).await.unwrap();
    assert_eq!(try_login(&app, "john", "another_password", home).await, Err(1), "the network is no longer known");
    assert_eq!(app.count("known_network").await, 0);
    delete_user(&app.app, john.id).await.unwrap();
}

#[apply(trial)]
async fn changing_the_password_keeps_only_the_current_network() {
    let app = app_with_default_limits().await;
    app.create_user("john", "my_password").await;
    assert_eq!(try_login(&app, "john", "my_password", client_ip(1)).await, Ok(true));
    let tokens = app.sign_in("john", "my_password").await;
    assert_eq!(app.count("known_network").await, 2);
    let body = json!({ "current_password": "my_password", "new_password": "a better password" });
    assert_eq!(app.post("/me/password").bearer(&tokens.access).json(&body).send().await.status, 204);
    fail_until_limited(&app, "john", 10).await;
    assert_eq!(try_login(&app, "john", "a better password", client_ip(1)).await, Err(1));
    app.access_token("john", "a better password").await;
}

#[apply(trial)]
async fn each_failure_counts_for_a_day() {
    let app = app_with_default_limits().await;
    app.create_user("john", "my_password").await;
    fail_until_limited(&app, "john", 10).await;
    for wait in [2, 4] {
        app.advance(23 * 60 * 60);
        assert_eq!(try_login(&app, "john", "wrong", client_ip(100 + wait)).await, Ok(false));
        assert_eq!(try_login(&app, "john", "wrong", client_ip(1)).await, Err(wait as u64));
    }
}

#[apply(trial)]
async fn login_of_a_disabled_user_resets_no_failures() {
    let app = app_with_default_limits().await;
    let john = app.create_user("john", "my_password").await;
    disable_user(&app.app, john.id).await.unwrap();
    for number in 0..5 {
        assert_eq!(try_login(&app, "john", "my_password", client_ip(number)).await, Ok(false));
    }
    assert_eq!(try_login(&app, "john", "my_password", client_ip(5)).await, Err(1));
}

#[apply(trial)]
async fn password_change_failures_count_under_the_canonical_name() {
    let app = app_with_default_limits().await;
    app.create_user("John", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    let body = json!({ "current_password": "wrong", "new_password": "a better password" });
    for _ in 0..5 {
        let response = app.post("/me/password").bearer(&tokens.access).json(&body).send().await;
        response.is_problem(401, "invalid_credentials");
    }
    let login = json!({ "username": "john", "password": "my_password" });
    app.post("/login").json(&login).send().await.is_problem(429, "too_many_requests");
}
