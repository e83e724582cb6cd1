//! Tries that end because too many passwords are waiting to be hashed: they are counted for nothing.

use std::time::Duration;

use futures_util::future::join;
use serde_json::json;
use vestibule::{
    clock::Clock,
    config::Config,
    domain::{
        fault::Fault,
        login::{self, LoginError},
    },
    startup,
};

use crate::{
    support::{TestApp, app::attempt},
    throttle::{address, sign_in},
};

crate::trials![
    full_queue_counts_no_failure,
    full_queue_brings_no_wait_back,
    full_queue_takes_no_wait_of_later_failures_away,
    withdrawn_tries_cost_the_address_nothing,
];

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

/// The try that is taken back began before them, on an instance whose clock is ahead.
async fn full_queue_takes_no_wait_of_later_failures_away() {
    let few = |config: &mut Config| config.throttle.free_failures = 3;
    let app = TestApp::builder().usual_limits().with(few).start().await;
    app.user("john", "my_password").await;
    let mut config = app.config.clone();
    config.passwords.memory_kib = 262_144;
    config.passwords.iterations = 8;
    config.passwords.queue_wait_ms = 500;
    let ahead = Clock::frozen(app.app.clock.now() + Duration::from_secs(4));
    let busy = startup::open(&config, ahead).await.unwrap();
    assert_eq!(sign_in(&app, "john", "wrong", address(1)).await, Ok(false));
    let meanwhile = async {
        // Until the try has its address's row beside those of the first failure.
        while app.count("throttle").await < 3 {
            tokio::task::yield_now().await;
        }
        assert_eq!(sign_in(&app, "john", "wrong", address(1)).await, Ok(false));
        app.advance(1);
        assert_eq!(sign_in(&app, "john", "wrong", address(1)).await, Ok(false));
    };
    let login = Box::pin(login::with_password(&busy, attempt("john", "my_password")));
    let (outcome, ()) = join(login, meanwhile).await;
    assert!(matches!(outcome, Err(LoginError::Fault(Fault::Busy { .. }))), "{outcome:?}");
    assert!(
        sign_in(&app, "john", "my_password", address(2)).await.is_err(),
        "three have failed, the last one just now"
    );
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
