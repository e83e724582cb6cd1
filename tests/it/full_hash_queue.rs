//! Login attempts that fail because the hashing queue is full do not count for any rate limit.

use std::{sync::Arc, time::Duration};

use futures_util::future::join;
use serde_json::json;
use vestibule::{
    clock::Clock,
    domain::{
        app::App,
        auth::{
            login::{LoginError, login},
            register::{RegisterError, register},
        },
    },
    error::ServiceError,
    startup,
};

use crate::{
    rate_limits::{client_ip, try_login},
    support::{TestApp, app::login_attempt},
};

/// Opens another instance on the database, whose hashes take longer than its queue timeout.
async fn too_slow_instance(app: &TestApp, timeout: &str, clock: Clock) -> App {
    let slow = app.settings.clone().with("passwords.hash_memory", "256MiB").with("passwords.hash_iterations", 8);
    let config = slow.with("passwords.queue_timeout", timeout).config();
    Box::pin(startup::open(&config, clock, &Arc::default())).await.unwrap()
}

#[apply(trial)]
async fn busy_response_does_not_count_as_a_failed_login() {
    let app = TestApp::builder().default_limits().slow_hashing().start().await;
    app.create_user("john", "my_password").await;
    app.fill_queue().await;
    let body = json!({ "username": "john", "password": "my_password" });
    for _ in 0..8 {
        app.post("/login").json(&body).send().await.is_problem(503, "busy");
    }
}

#[apply(trial)]
async fn busy_response_does_not_restart_the_backoff() {
    let app = TestApp::builder().default_limits().slow_hashing().setting("limits.free_failures", 2).start().await;
    app.create_user("john", "my_password").await;
    for _ in 0..2 {
        assert_eq!(try_login(&app, "john", "wrong", client_ip(1)).await, Ok(false));
    }
    assert_eq!(try_login(&app, "john", "my_password", client_ip(1)).await, Err(1));
    app.advance(1);
    app.fill_queue().await;
    let body = json!({ "username": "john", "password": "my_password" });
    for _ in 0..3 {
        app.post("/login").json(&body).send().await.is_problem(503, "busy");
    }
}

/// The login attempt that is withdrawn began before these failures, on an instance whose clock is ahead.
#[apply(trial)]
async fn busy_response_does_not_shorten_the_backoff_of_later_failures() {
    let app = TestApp::builder().default_limits().setting("limits.free_failures", 3).start().await;
    app.create_user("john", "my_password").await;
    let ahead = Clock::frozen(app.app.clock.now() + Duration::from_secs(4));
    let busy = too_slow_instance(&app, "500ms", ahead).await;
    assert_eq!(try_login(&app, "john", "wrong", client_ip(1)).await, Ok(false));
    let meanwhile = async {
        // Wait until the login attempt has its client's row, beside the two rows of the first failure.
        while app.count("rate_limit").await < 3 {
            tokio::task::yield_now().await;
        }
        assert_eq!(try_login(&app, "john", "wrong", client_ip(1)).await, Ok(false));
        app.advance(1);
        assert_eq!(try_login(&app, "john", "wrong", client_ip(1)).await, Ok(false));
    };
    let login = Box::pin(login(&busy, login_attempt("john", "my_password")));
    let (outcome, ()) = join(login, meanwhile).await;
    assert!(matches!(outcome, Err(LoginError::Service(ServiceError::Busy { .. }))), "{outcome:?}");
    assert!(
        try_login(&app, "john", "my_password", client_ip(2)).await.is_err(),
        "three attempts failed, the last one just now"
    );
}

/// By then the service has verified the current password.
#[apply(trial)]
async fn full_queue_while_hashing_the_new_password_changes_nothing() {
    let app = TestApp::builder().default_limits().setting("limits.free_failures", 2).start().await;
    app.create_user("john", "my_password").await;
    app.create_user("jane", "my_password").await;
    // Makes Jane's hash so expensive that it occupies the thread for longer than John's response is held back.
    let expensive = format!("$argon2id$v=19$m=262144,t=12,p=1${}${}", "A".repeat(22), "A".repeat(43));
    app.sql(&format!("UPDATE \"user\" SET password_hash = '{expensive}' WHERE username = 'jane'")).await;
    let slow = app.settings.clone().slow_hashing().with("passwords.hash_iterations", 4);
    let slow = app.start_instance_with(slow).await;
    let tokens = app.sign_in("john", "my_password").await;
    let elsewhere = app.sign_in("john", "my_password").await;
    let body = json!({ "current_password": "my_password", "new_password": "a better password" });
    let change = slow.post("/me/password").bearer(&tokens.access).json(&body).send();
    let meanwhile = async {
        // John's hash costs less than a new one would, so the service holds the response back for the difference.
        while slow.app.hasher.computed() == 0 {
            tokio::task::yield_now().await;
        }
        slow.fill_queue_for("jane").await;
    };
    let (response, ()) = join(change, meanwhile).await;
    response.is_problem(503, "busy");
    assert_eq!(slow.app.hasher.computed(), 2, "John's current password and Jane's");
    assert!(app.accepts(&elsewhere.access).await);
    let wrong = json!({ "username": "john", "password": "a better password" });
    app.post("/login").json(&wrong).send().await.is_problem(401, "invalid_credentials");
    app.access_token("john", "my_password").await;
}

#[apply(trial)]
async fn busy_response_does_not_count_against_the_client_rate_limit() {
    let app = TestApp::builder().default_limits().slow_hashing().setting("limits.login_burst", 12).start().await;
    app.fill_queue().await;
    let body = json!({ "username": "john", "password": "my_password" });
    for _ in 0..12 {
        app.post("/login").json(&body).send().await.is_problem(503, "busy");
    }
}

#[apply(trial)]
async fn busy_response_does_not_count_as_a_registration() {
    let app = TestApp::builder().default_limits().setting("limits.registrations_per_hour", 1).start().await;
    let busy = too_slow_instance(&app, "200ms", app.app.clock.clone()).await;
    let attempt = login_attempt("john", "my_password");
    let outcome = Box::pin(register(&busy, &attempt.username, &attempt.password, &attempt.client)).await;
    assert!(matches!(outcome, Err(RegisterError::Service(ServiceError::Busy { .. }))), "{outcome:?}");

    let registration = |name: &str| app.post("/register").json(&json!({ "username": name, "password": "my_password" }));
    assert_eq!(registration("john").send().await.status, 201);
    registration("jane").send().await.is_problem(429, "too_many_requests");
}

/// Neither of them reaches the database.
#[apply(trial)]
async fn full_queue_rejects_logins_and_registrations_before_they_are_counted() {
    let app = TestApp::builder().default_limits().slow_hashing().start().await;
    app.create_user("john", "my_password").await;
    app.fill_queue().await;
    let rows = app.count("rate_limit").await;
    for path in ["/login", "/register"] {
        let body = json!({ "username": "jane", "password": "my_password" });
        app.post(path).json(&body).send().await.is_problem(503, "busy");
    }
    assert_eq!(app.count("rate_limit").await, rows);
}
