//! Known networks: when a network becomes known, for how long, and how failed logins from it are limited.

use serde_json::json;
use vestibule::{
    domain::admin::users::{delete_user, disable_user, set_password},
    jobs::run_cleanup,
    secret::Password,
};

use crate::{
    rate_limits::{address, free_failures, limited, sign_in},
    support::TestApp,
};

#[apply(trial)]
async fn known_device_is_limited_by_itself() {
    let app = limited().await;
    app.user("john", "my_password").await;
    let home = address(1);
    assert_eq!(sign_in(&app, "john", "my_password", home).await, Ok(true));
    for _ in 0..5 {
        assert_eq!(sign_in(&app, "john", "wrong", home).await, Ok(false));
    }
    assert_eq!(sign_in(&app, "john", "my_password", home).await, Err(1), "a known network is limited too");
    assert_eq!(sign_in(&app, "john", "my_password", address(2)).await, Ok(true), "other networks are not affected");
    app.advance(1);
    assert_eq!(sign_in(&app, "john", "my_password", home).await, Ok(true));
}

#[apply(trial)]
async fn known_device_is_never_closed() {
    let app = TestApp::builder().usual_limits().setting("limits.lockout_threshold", "5").start().await;
    app.user("john", "my_password").await;
    let home = address(1);
    assert_eq!(sign_in(&app, "john", "my_password", home).await, Ok(true));
    assert_eq!(free_failures(&app, "john", 10).await, (5, 24 * 60 * 60));
    for _ in 0..5 {
        assert_eq!(sign_in(&app, "john", "wrong", home).await, Ok(false));
    }
    assert_eq!(sign_in(&app, "john", "my_password", home).await, Err(1));
}

#[apply(trial)]
async fn device_stays_known_while_it_is_used() {
    let app = limited().await;
    app.user("john", "my_password").await;
    for _ in 0..3 {
        assert_eq!(sign_in(&app, "john", "my_password", address(1)).await, Ok(true));
        app.advance(29 * 24 * 60 * 60);
    }
    free_failures(&app, "john", 10).await;
    assert_eq!(sign_in(&app, "john", "my_password", address(1)).await, Ok(true));
}

#[apply(trial)]
async fn devices_are_bounded_and_forgotten_in_time() {
    let app = limited().await;
    let john = app.user("john", "my_password").await;
    for number in 0..25 {
        assert_eq!(sign_in(&app, "john", "my_password", address(number)).await, Ok(true));
        app.advance(1);
    }
    assert_eq!(app.count("known_network").await, 20);
    free_failures(&app, "john", 100).await;
    assert!(sign_in(&app, "john", "my_password", address(4)).await.is_err(), "the least recently used network");
    assert_eq!(sign_in(&app, "john", "my_password", address(5)).await, Ok(true));
    app.advance(30 * 24 * 60 * 60);
    free_failures(&app, "john", 200).await;
    assert!(sign_in(&app, "john", "my_password", address(24)).await.is_err(), "after 30 days");
    assert_eq!(run_cleanup(&app.app).await.unwrap().known_networks, 20);
    delete_user(&app.app, john.id).await.unwrap();
    assert_eq!(app.count("known_network").await, 0);
}

#[apply(trial)]
async fn devices_are_forgotten_with_the_password() {
    let app = limited().await;
    let john = app.user("john", "my_password").await;
    let home = address(1);
    assert_eq!(sign_in(&app, "john", "my_password", home).await, Ok(true));
    free_failures(&app, "john", 10).await;
    assert_eq!(sign_in(&app, "john", "wrong", home).await, Ok(false), "the network is known");
    set_password(&app.app, &john, &Password::from("another_password".to_owned())).await.unwrap();
    assert_eq!(sign_in(&app, "john", "another_password", home).await, Err(1), "the network is no longer known");
    assert_eq!(app.count("known_network").await, 0);
    delete_user(&app.app, john.id).await.unwrap();
}

#[apply(trial)]
async fn own_new_password_keeps_the_own_device_only() {
    let app = limited().await;
    app.user("john", "my_password").await;
    assert_eq!(sign_in(&app, "john", "my_password", address(1)).await, Ok(true));
    let tokens = app.sign_in("john", "my_password").await;
    assert_eq!(app.count("known_network").await, 2);
    let body = json!({ "current_password": "my_password", "new_password": "a better password" });
    assert_eq!(app.post("/me/password").bearer(&tokens.access).json(&body).send().await.status, 204);
    free_failures(&app, "john", 10).await;
    assert_eq!(sign_in(&app, "john", "a better password", address(1)).await, Err(1));
    app.token("john", "a better password").await;
}

#[apply(trial)]
async fn each_failure_is_remembered_for_a_day() {
    let app = limited().await;
    app.user("john", "my_password").await;
    free_failures(&app, "john", 10).await;
    for wait in [2, 4] {
        app.advance(23 * 60 * 60);
        assert_eq!(sign_in(&app, "john", "wrong", address(100 + wait)).await, Ok(false));
        assert_eq!(sign_in(&app, "john", "wrong", address(1)).await, Err(wait as u64));
    }
}

#[apply(trial)]
async fn disabled_account_forgets_no_failures() {
    let app = limited().await;
    let john = app.user("john", "my_password").await;
    disable_user(&app.app, john.id).await.unwrap();
    for number in 0..5 {
        assert_eq!(sign_in(&app, "john", "my_password", address(number)).await, Ok(false));
    }
    assert_eq!(sign_in(&app, "john", "my_password", address(5)).await, Err(1));
}

#[apply(trial)]
async fn change_of_password_counts_under_the_canonical_name() {
    let app = limited().await;
    app.user("John", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    let body = json!({ "current_password": "wrong", "new_password": "a better password" });
    for _ in 0..5 {
        let answer = app.post("/me/password").bearer(&tokens.access).json(&body).send().await;
        answer.is_problem(401, "invalid_credentials");
    }
    let login = json!({ "username": "john", "password": "my_password" });
    app.post("/login").json(&login).send().await.is_problem(429, "too_many_requests");
}
