//! Tries whose password nobody looked at, because too many were waiting already: they are counted for nothing.

use serde_json::json;
use vestibule::config::Config;

use crate::{
    support::TestApp,
    throttle::{address, sign_in},
};

crate::trials![full_queue_counts_no_failure, full_queue_brings_no_wait_back, withdrawn_tries_cost_the_address_nothing,];

async fn full_queue_counts_no_failure() {
    let app = TestApp::builder().usual_limits().slow_hashing().start().await;
    app.user("john", "my_password").await;
    app.fill_queue().await;
    let body = json!({ "username": "john", "password": "my_password" });
    for _ in 0..8 {
        app.post("/login").json(&body).send().await.is_problem(503, "busy");
    }
}

async fn full_queue_brings_no_wait_back() {
    let few = |config: &mut Config| config.throttle.free_failures = 2;
    let app = TestApp::builder().usual_limits().slow_hashing().with(few).start().await;
    app.user("john", "my_password").await;
    for _ in 0..2 {
        assert_eq!(sign_in(&app, "john", "wrong", address(1)).await, Ok(false));
    }
    assert_eq!(sign_in(&app, "john", "my_password", address(1)).await, Err(1));
    app.advance(1);
    app.fill_queue().await;
    let body = json!({ "username": "john", "password": "my_password" });
    for _ in 0..3 {
        app.post("/login").json(&body).send().await.is_problem(503, "busy");
    }
}

async fn withdrawn_tries_cost_the_address_nothing() {
    let few = |config: &mut Config| config.throttle.login_burst = 12;
    let app = TestApp::builder().usual_limits().slow_hashing().with(few).start().await;
    app.fill_queue().await;
    let body = json!({ "username": "john", "password": "my_password" });
    for _ in 0..12 {
        app.post("/login").json(&body).send().await.is_problem(503, "busy");
    }
}
