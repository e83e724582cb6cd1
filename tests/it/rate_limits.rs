//! Rate limits: which requests are allowed and which are rejected. The suffix of a test name is the ID of the security
//! check that it covers.

use std::{net::IpAddr, time::Duration};

use futures_util::future::join_all;
use serde_json::json;
use vestibule::{
    domain::{
        admin::users::{disable_user, unlock_user},
        auth::login::{LoginAttempt, LoginError, login},
    },
    error::ServiceError,
};

use crate::support::{
    TestApp,
    app::{Tokens, client_at, login_attempt},
};

pub(crate) async fn app_with_default_limits() -> TestApp {
    TestApp::builder().default_limits().setting("passwords.queue_length", "1000").start().await
}

/// Returns the `number`th client IP address.
pub(crate) fn client_ip(number: usize) -> IpAddr {
    let number = u32::try_from(number).unwrap();
    IpAddr::from((0x0a00_0000 + number).to_be_bytes())
}

/// Rounds up to whole seconds, as `Retry-After` does.
fn whole_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

/// Attempts a login. Returns whether it succeeded, or the number of seconds to wait.
pub(crate) async fn try_login(app: &TestApp, name: &str, password: &str, from: IpAddr) -> Result<bool, u64> {
    let attempt = LoginAttempt { client: client_at(from), ..login_attempt(name, password) };
    match login(&app.app, attempt).await {
        Ok(_) => Ok(true),
        Err(LoginError::InvalidCredentials) => Ok(false),
        Err(LoginError::Service(ServiceError::RateLimited { retry_after })) => Err(whole_seconds(retry_after)),
        Err(LoginError::Service(error)) => panic!("{}", error.chain()),
    }
}

#[apply(trial)]
async fn logins_are_limited_per_client_with_retry_after_s21() {
    let app = app_with_default_limits().await;
    app.create_user("john", "my_password").await;
    let body = json!({ "username": "john", "password": "my_password" });
    let login = || app.post("/login").json(&body).send();
    let mut passed = 0;
    let rejected = loop {
        let response = login().await;
        if response.status != 200 {
            break response;
        }
        passed += 1;
    };
    rejected.is_problem(429, "too_many_requests");
    assert_eq!(passed, 30, "a successful login costs one token");
    for _ in 0..3 {
        let wait: u64 = login().await.header("retry-after").parse().unwrap();
        assert_eq!(wait, 2);
        app.advance(wait - 1);
        login().await.is_problem(429, "too_many_requests");
        app.advance(1);
        assert_eq!(login().await.status, 200, "after the time in Retry-After");
    }
    app.advance(60);
    for _ in 0..30 {
        assert_eq!(login().await.status, 200);
    }
    login().await.is_problem(429, "too_many_requests");
}

#[apply(trial)]
async fn registrations_are_limited_per_client_s21() {
    let app = app_with_default_limits().await;
    let register = |number: usize| {
        let body = json!({ "username": format!("user{number}"), "password": "my_password" });
        app.post("/register").json(&body).send()
    };
    for number in 0..20 {
        assert_eq!(register(number).await.status, 201, "{number}");
    }
    let rejected = register(20).await;
    rejected.is_problem(429, "too_many_requests");
    assert_eq!(rejected.header("retry-after"), "180");
    app.advance(180);
    assert_eq!(register(20).await.status, 201);
    register(21).await.is_problem(429, "too_many_requests");
    assert_eq!(app.count("user").await, 21);
}

#[apply(trial)]
async fn rejected_refreshes_are_limited_and_valid_ones_are_not_s21() {
    let app = app_with_default_limits().await;
    app.create_user("john", "my_password").await;
    let mut tokens = app.sign_in("john", "my_password").await;
    for _ in 0..30 {
        app.refresh("vst_r_nonsense").await.is_problem(401, "invalid_token");
    }
    let rejected = app.refresh("vst_r_nonsense").await;
    rejected.is_problem(429, "too_many_requests");
    assert_eq!(rejected.header("retry-after"), "2");
    tokens = Tokens::of(&app.refresh(&tokens.refresh).await);
    assert!(app.accepts(&tokens.access).await, "a valid token must be accepted");
    app.advance(2);
    app.refresh("vst_r_nonsense").await.is_problem(401, "invalid_token");
    app.refresh("vst_r_nonsense").await.is_problem(429, "too_many_requests");
}

#[apply(trial)]
async fn refreshes_of_one_session_are_limited() {
    let app = app_with_default_limits().await;
    app.create_user("john", "my_password").await;
    let other = app.sign_in("john", "my_password").await;
    let mut tokens = app.sign_in("john", "my_password").await;
    for _ in 0..60 {
        tokens = Tokens::of(&app.refresh(&tokens.refresh).await);
    }
    let rejected = app.refresh(&tokens.refresh).await;
    rejected.is_problem(429, "too_many_requests");
    assert_eq!(rejected.header("retry-after"), "1");
    Tokens::of(&app.refresh(&other.refresh).await);
    app.advance(1);
    tokens = Tokens::of(&app.refresh(&tokens.refresh).await);
    app.advance(60 * 60);
    for _ in 0..60 {
        tokens = Tokens::of(&app.refresh(&tokens.refresh).await);
    }
    app.refresh(&tokens.refresh).await.is_problem(429, "too_many_requests");
}

/// Fails to log in from a new client IP each time. Returns how many failures are allowed without a wait, and the wait
/// after them.
pub(crate) async fn fail_until_limited(app: &TestApp, name: &str, first: usize) -> (usize, u64) {
    for number in 0..200 {
        match try_login(app, name, "wrong", client_ip(first + number)).await {
            Ok(success) => assert!(!success),
            Err(wait) => return (number, wait),
        }
    }
    panic!("200 failures were allowed");
}

#[apply(trial)]
async fn failures_of_a_user_count_across_clients_s22() {
    let app = app_with_default_limits().await;
    app.create_user("john", "my_password").await;
    let (free, mut wait) = fail_until_limited(&app, "john", 0).await;
    assert_eq!((free, wait), (5, 1));
    let mut waits = Vec::new();
    for number in 0..14 {
        app.advance(wait);
        assert_eq!(
            try_login(&app, "john", "wrong", client_ip(1000 + number)).await,
            Ok(false),
            "allowed after the wait"
        );
        wait = try_login(&app, "john", "my_password", client_ip(2000 + number)).await.unwrap_err();
        waits.push(wait);
    }
    assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900, 900]);
    app.create_user("jane", "my_password").await;
    assert_eq!(try_login(&app, "jane", "my_password", client_ip(3000)).await, Ok(true));
    assert!(
        try_login(&app, "john", "my_password", client_ip(3000)).await.is_err(),
        "a login must not reset the failures of other clients"
    );
    app.advance(24 * 60 * 60);
    assert_eq!(fail_until_limited(&app, "john", 4000).await, (5, 1), "failures expire after a day");
}

#[apply(trial)]
async fn user_is_locked_out_from_unknown_networks_after_a_hundred_failures_s22() {
    let app = app_with_default_limits().await;
    let john = app.create_user("john", "my_password").await;
    let home = client_ip(9999);
    assert_eq!(try_login(&app, "john", "my_password", home).await, Ok(true));
    let (mut failures, mut number) = (0, 0);
    let lockout = loop {
        number += 1;
        match try_login(&app, "john", "wrong", client_ip(number)).await {
            Ok(_) => failures += 1,
            Err(wait) if wait > 900 => break wait,
            Err(wait) => app.advance(wait),
        }
    };
    assert_eq!((failures, lockout), (100, 24 * 60 * 60));
    assert_eq!(try_login(&app, "john", "my_password", home).await, Ok(true), "from a known network");
    assert!(try_login(&app, "john", "my_password", client_ip(1)).await.is_err());
    let other = app.start_instance().await;
    unlock_user(&other.app, &john).await.unwrap();
    assert_eq!(try_login(&app, "john", "wrong", client_ip(2)).await, Ok(false), "unlocked");
    assert_eq!(try_login(&app, "john", "my_password", client_ip(1)).await, Ok(true));
    for number in 0..100 {
        while let Err(wait) = try_login(&app, "john", "wrong", client_ip(number + 20)).await {
            app.advance(wait);
        }
    }
    app.advance(24 * 60 * 60);
    assert_eq!(try_login(&app, "john", "my_password", client_ip(500)).await, Ok(true), "the lockout ends after a day");
}

#[apply(trial)]
async fn successful_login_resets_failures() {
    let app = app_with_default_limits().await;
    app.create_user("john", "my_password").await;
    for _ in 0..3 {
        for _ in 0..4 {
            assert_eq!(try_login(&app, "john", "wrong", client_ip(1)).await, Ok(false));
        }
        assert_eq!(try_login(&app, "john", "my_password", client_ip(1)).await, Ok(true));
        app.advance(60);
    }
}

/// Attacks a user for ten minutes from ever new IP addresses, while the user logs in at home every ten seconds.
#[apply(trial)]
async fn attacker_cannot_lock_a_user_out_of_a_known_network_s23() {
    let app = app_with_default_limits().await;
    app.create_user("john", "my_password").await;
    let home = client_ip(1);
    assert_eq!(try_login(&app, "john", "my_password", home).await, Ok(true));
    let live = app.sign_in("john", "my_password").await;
    let (mut worst, mut rejected) = (0, 0);
    for second in 0..600 {
        for number in 0..3 {
            rejected +=
                usize::from(try_login(&app, "john", "wrong", client_ip(10 + 3 * second + number)).await.is_err());
        }
        if second % 10 == 0 {
            match try_login(&app, "john", "my_password", home).await {
                Ok(success) => assert!(success),
                Err(wait) => worst = worst.max(wait),
            }
        }
        app.advance(1);
    }
    let live = Tokens::of(&app.refresh(&live.refresh).await);
    assert!(app.accepts(&live.access).await, "open sessions must continue");
    println!(
        "rate limits: 600 s of attack, {rejected} of 1800 login attempts rejected, the user's longest wait {worst} s"
    );
    assert_eq!(worst, 0);
    assert!(rejected > 1750, "{rejected}");
}

#[apply(trial)]
async fn parallel_login_attempts_are_all_counted_s24() {
    let app = app_with_default_limits().await;
    app.create_user("john", "my_password").await;
    for name in ["john", "nobody"] {
        let before = app.app.hasher.computed();
        let attempts = (0..100).map(|number| try_login(&app, name, "wrong", client_ip(number)));
        let passed = join_all(attempts).await.into_iter().flatten().count();
        assert_eq!((passed, app.app.hasher.computed() - before), (5, 5), "{name}");
    }
    let before = app.app.hasher.computed();
    let attempts = (0..100).map(|number| {
        let app = &app;
        async move { try_login(app, &format!("name{number}"), "wrong", client_ip(5000)).await }
    });
    let passed = join_all(attempts).await.into_iter().flatten().count();
    assert_eq!((passed, app.app.hasher.computed() - before), (10, 10), "from one client");
}

#[apply(trial)]
async fn limits_hold_across_instances_s25() {
    let app = app_with_default_limits().await;
    let other = app.start_instance().await;
    app.create_user("john", "my_password").await;
    let attempts = (0..100).map(|number| try_login([&app, &other][number % 2], "john", "wrong", client_ip(number)));
    assert_eq!(join_all(attempts).await.into_iter().flatten().count(), 5);
    let registrations = (0..40).map(|number| {
        let body = json!({ "username": format!("user{number}"), "password": "my_password" });
        [&app, &other][number % 2].post("/register").json(&body).send()
    });
    let responses = join_all(registrations).await;
    assert_eq!(responses.iter().filter(|response| response.status == 201).count(), 20);
}

#[apply(trial)]
async fn one_ipv6_network_counts_as_one_client_s26() {
    let app = app_with_default_limits().await;
    let mut passed = 0;
    for number in 0..1000_u16 {
        let from = IpAddr::from([0x2001, 0xdb8, 1, 2, number, number, 0, 1]);
        passed += usize::from(try_login(&app, &format!("name{number}"), "wrong", from).await.is_ok());
    }
    assert_eq!(passed, 10);
    assert!(try_login(&app, "other", "wrong", "2001:db8:1:3::1".parse().unwrap()).await.is_ok(), "the next network");
    let plain: IpAddr = "192.0.2.7".parse().unwrap();
    for number in 0..10 {
        assert_eq!(try_login(&app, &format!("other{number}"), "wrong", plain).await, Ok(false));
    }
    let mapped = "::ffff:192.0.2.7".parse().unwrap();
    assert!(try_login(&app, "more", "wrong", mapped).await.is_err(), "a mapped IPv4 address is the same client");
}

#[apply(trial)]
async fn spellings_of_a_name_share_one_rate_limit_s28() {
    let app = app_with_default_limits().await;
    app.create_user("Bob", "my_password").await;
    let spellings = ["Bob", "bob", "BOB", "\u{ff22}\u{ff2f}\u{ff22}", "bOB"];
    for (number, name) in spellings.iter().enumerate() {
        assert_eq!(try_login(&app, name, "wrong", client_ip(number)).await, Ok(false));
    }
    for (number, name) in spellings.iter().enumerate() {
        assert_eq!(try_login(&app, name, "my_password", client_ip(100 + number)).await, Err(1), "{name}");
    }
}

#[apply(trial)]
async fn unknown_users_are_limited_like_known_users_s19() {
    let app = app_with_default_limits().await;
    app.create_user("john", "my_password").await;
    let jane = app.create_user("jane", "my_password").await;
    disable_user(&app.app, jane.id).await.unwrap();
    let names = ["john", "jane", "nobody", "john@example.com", "two words", "'; --"];
    let mut seen = Vec::new();
    for (place, name) in names.iter().enumerate() {
        let mut waits = Vec::new();
        for number in 0..40 {
            let outcome = try_login(&app, name, "wrong", client_ip(1000 * place + number)).await;
            waits.push(outcome);
            app.advance(outcome.err().unwrap_or(0).min(100));
        }
        seen.push(waits);
    }
    assert!(seen.iter().all(|waits| *waits == seen[0]), "{seen:?}");
    let mut responses = Vec::new();
    for name in ["john", "nobody"] {
        let body = json!({ "username": name, "password": "wrong" });
        let response = loop {
            let response = app.post("/login").json(&body).send().await;
            if response.status == 429 {
                break response;
            }
        };
        responses.push(response.text.replace(response.header("x-request-id"), ""));
        app.advance(24 * 60 * 60);
    }
    assert_eq!(responses[0], responses[1]);
}

#[apply(trial)]
async fn every_way_to_check_a_password_is_limited_s29() {
    let app = app_with_default_limits().await;
    app.create_user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    let change = |current: &str| {
        let body = json!({ "current_password": current, "new_password": "a better password" });
        app.post("/me/password").bearer(&tokens.access).json(&body).send()
    };
    for _ in 0..5 {
        change("wrong").await.is_problem(401, "invalid_credentials");
    }
    change("my_password").await.is_problem(429, "too_many_requests");
    let login = json!({ "username": "john", "password": "my_password" });
    app.post("/login").json(&login).send().await.is_problem(429, "too_many_requests");
    app.advance(1);
    assert_eq!(change("my_password").await.status, 204);
}

#[apply(trial)]
async fn password_spraying_is_limited_earlier_s30() {
    let app = app_with_default_limits().await;
    app.create_user("name7", "my_password").await;
    let attempt_logins = |name: &'static str| {
        let app = &app;
        async move {
            let mut passed = 0;
            for number in 0..50 {
                let name = if name.is_empty() { format!("name{number}") } else { name.to_owned() };
                passed += usize::from(try_login(app, &name, "Summer2026", client_ip(1)).await.is_ok());
                // Resets the user's failures, so that only the limit of the client applies.
                reset_user_failures(app).await;
            }
            passed
        }
    };
    let spray = attempt_logins("").await;
    app.advance(60);
    let one = attempt_logins("john").await;
    println!("rate limits: 50 login attempts from one client, {spray} allowed on as many users, {one} on one user");
    assert_eq!((spray, one), (10, 28));
}

/// Resets the failures of users, but not the limits of clients.
async fn reset_user_failures(app: &TestApp) {
    app.sql("UPDATE rate_limit SET failures = 0, until = 0, expires_at = 0 WHERE failures > 0").await;
}

#[apply(trial)]
async fn retry_after_is_the_longest_wait_s21() {
    let app = app_with_default_limits().await;
    app.create_user("john", "my_password").await;
    let mut wait = fail_until_limited(&app, "john", 0).await.1;
    for number in 0..4 {
        app.advance(wait);
        assert_eq!(try_login(&app, "john", "wrong", client_ip(100 + number)).await, Ok(false));
        wait = try_login(&app, "john", "wrong", client_ip(200)).await.unwrap_err();
    }
    for number in 0..10 {
        assert_eq!(try_login(&app, &format!("name{number}"), "wrong", client_ip(1)).await, Ok(false));
    }
    assert_eq!(try_login(&app, "more", "wrong", client_ip(1)).await, Err(6), "the client's wait");
    assert_eq!(try_login(&app, "john", "my_password", client_ip(1)).await, Err(16), "the user's longer wait");
    app.advance(16);
    assert_eq!(try_login(&app, "john", "my_password", client_ip(1)).await, Ok(true));
}

#[apply(trial)]
async fn rejected_new_password_does_not_count_as_a_failure() {
    let app = app_with_default_limits().await;
    app.create_user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    for _ in 0..8 {
        let body = json!({ "current_password": "my_password", "new_password": "password1" });
        let response = app.post("/me/password").bearer(&tokens.access).json(&body).send().await;
        response.is_problem(422, "password_rejected");
    }
}
