//! What happens when the reference clock steps, and when the clocks of hosts differ. The suffix of a test name is the
//! ID of the robustness check that it covers.

use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DatabaseBackend, Statement};
use serde_json::json;
use vestibule::{
    clock::{Clock, ClockOffset, Timestamp},
    domain::auth::authenticate::authenticate,
    jobs::{run_cleanup, sync_clock},
    startup,
};

use crate::{
    rate_limits::{app_with_default_limits, client_ip, try_login},
    support::{TestApp, app::Tokens, client::TestResponse, forge},
};

const HOUR: i64 = 60 * 60;
const DAY: u64 = 24 * 60 * 60;
/// The steps of the reference clock, in seconds.
const STEPS: [i64; 4] = [HOUR, -HOUR, 120, -120];
/// The waits under the default limits, in seconds: the lockout and three token buckets.
const LONGEST: [u64; 4] = [64, 2, 2, 1];

async fn app_with_john() -> TestApp {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    app
}

/// Steps the reference clock, and lets the service notice.
async fn step(app: &TestApp, by: i64) {
    app.step(by);
    assert_eq!(app.sync_clock().await, by);
}

/// A wrong host clock says nothing about the reference clock, so cleanup continues.
#[apply(trial)]
async fn first_synchronization_does_not_count_as_a_step_r21() {
    let app = app_with_john().await;
    let hour = Duration::from_hours(1);
    let clock = Clock::frozen(app.app.clock.now() - hour);
    clock.step_host_forward(hour);
    let other = startup::open(&app.config, clock, &app.app.metrics).await.unwrap();
    assert_eq!(other.clock.now(), app.app.clock.now());
    assert!(!other.clock.has_stepped_within(hour));
}

/// Returns how long each limit makes its client wait, in seconds: the backoff of a user, the login attempts of a
/// client, rejected refresh tokens, and refreshes of a session. Zero means that the request is allowed.
async fn waits(app: &TestApp, session: &Tokens) -> [u64; 4] {
    let wait = |response: TestResponse| -> u64 {
        if response.status != 429 {
            return 0;
        }
        response.is_problem(429, "too_many_requests");
        response.header("retry-after").parse().unwrap()
    };
    [
        try_login(app, "john", "my_password", client_ip(1)).await.err().unwrap_or(0),
        try_login(app, "jane", "my_password", client_ip(2)).await.err().unwrap_or(0),
        wait(app.refresh("vst_r_nonsense").await),
        wait(app.refresh(&session.refresh).await),
    ]
}

/// Returns a service on which every limit rejects someone.
async fn limited_clients() -> (TestApp, Tokens) {
    let app = app_with_default_limits().await;
    app.create_user("john", "my_password").await;
    app.create_user("jane", "my_password").await;
    let mut session = app.sign_in("jane", "my_password").await;
    for number in 0.. {
        match try_login(&app, "john", "wrong", client_ip(100 + number)).await {
            Ok(_) => {}
            Err(wait) if wait < 64 => app.advance(wait),
            Err(_) => break,
        }
    }
    for _ in 0..30 {
        assert_eq!(try_login(&app, "jane", "my_password", client_ip(2)).await, Ok(true));
        app.refresh("vst_r_nonsense").await.is_problem(401, "invalid_token");
    }
    for _ in 0..60 {
        session = Tokens::of(&app.refresh(&session.refresh).await);
    }
    assert_eq!(waits(&app, &session).await, LONGEST);
    (app, session)
}

#[apply(trial)]
async fn clock_step_does_not_lengthen_any_wait_r20() {
    for by in STEPS {
        let (app, session) = limited_clients().await;
        app.step(by);
        assert_eq!(waits(&app, &session).await, LONGEST, "the step is not noticed yet, {by}");
        app.sync_clock().await;
        let after = waits(&app, &session).await;
        assert!(after.iter().zip(LONGEST).all(|(after, before)| *after <= before), "{by}: {after:?}");
        app.advance(64);
        assert_eq!(try_login(&app, "john", "my_password", client_ip(1)).await, Ok(true), "{by}");
        assert_eq!(try_login(&app, "jane", "my_password", client_ip(2)).await, Ok(true), "{by}");
    }
}

#[apply(trial)]
async fn lockout_is_never_longer_than_configured_r20() {
    for by in STEPS {
        let app = TestApp::builder().default_limits().setting("limits.lockout_threshold", 1).start().await;
        app.create_user("john", "my_password").await;
        assert_eq!(try_login(&app, "john", "wrong", client_ip(1)).await, Ok(false));
        step(&app, by).await;
        let wait = try_login(&app, "john", "my_password", client_ip(1)).await.unwrap_err();
        let forward = u64::try_from(by).unwrap_or(0);
        assert_eq!(wait, DAY - forward, "a step forward shortens it, a step back does not extend it, {by}");
        app.advance(DAY + by.unsigned_abs());
        assert_eq!(try_login(&app, "john", "my_password", client_ip(1)).await, Ok(true), "{by}");
    }
}

#[apply(trial)]
async fn sessions_survive_a_step_shorter_than_their_remaining_lifetime_r20() {
    for by in STEPS {
        let app = app_with_john().await;
        let tokens = app.sign_in("john", "my_password").await;
        app.advance(14 * DAY - 3_601);
        step(&app, by).await;
        run_cleanup(&app.app).await.unwrap();
        let response = app.refresh(&tokens.refresh).await;
        assert_eq!(response.body["refresh_expires_in"], 14 * DAY, "{by}");
        assert!(app.accepts(&Tokens::of(&response).access).await, "{by}");
        assert_eq!(app.misuse_events().await.len(), 0);
    }
}

#[apply(trial)]
async fn revoked_session_stays_revoked_r20() {
    for by in STEPS {
        let app = app_with_john().await;
        let tokens = app.sign_in("john", "my_password").await;
        assert_eq!(app.post("/logout").bearer(&tokens.access).send().await.status, 204);
        step(&app, by).await;
        app.refresh(&tokens.refresh).await.is_problem(401, "invalid_token");
        assert!(!app.accepts(&tokens.access).await, "{by}");
        step(&app, -by).await;
        app.refresh(&tokens.refresh).await.is_problem(401, "invalid_token");
        assert!(!app.accepts(&tokens.access).await, "{by}");
    }
}

#[apply(trial)]
async fn access_tokens_expire_by_the_reference_clock_r20() {
    let app = app_with_john().await;
    let tokens = app.sign_in("john", "my_password").await;
    step(&app, HOUR).await;
    assert!(!app.accepts(&tokens.access).await, "expired for other services too");
    let next = Tokens::of(&app.refresh(&tokens.refresh).await);
    assert!(app.accepts(&next.access).await);
    step(&app, -HOUR).await;
    assert!(!app.accepts(&next.access).await, "not valid yet for other services either");
    assert!(app.accepts(&Tokens::of(&app.refresh(&next.refresh).await).access).await);
}

#[apply(trial)]
async fn lost_refresh_response_can_be_retried_after_a_clock_step_r20() {
    for by in STEPS {
        let app = app_with_john().await;
        let a = app.sign_in("john", "my_password").await;
        let b = Tokens::of(&app.refresh(&a.refresh).await);
        app.step(by);
        app.advance(14);
        assert_eq!(Tokens::of(&app.refresh(&a.refresh).await).refresh, b.refresh, "the step is not noticed yet, {by}");
        app.sync_clock().await;
        app.advance(15);
        let again = Tokens::of(&app.refresh(&a.refresh).await);
        assert_eq!(again.refresh, b.refresh, "{by}");
        assert!(app.accepts(&again.access).await);
        Tokens::of(&app.refresh(&b.refresh).await);
        assert_eq!(app.misuse_events().await.len(), 0);
    }
}

/// A rotation in the future counts as recent until that time.
#[apply(trial)]
async fn reuse_detection_resumes_one_grace_period_after_a_step_r20() {
    for by in STEPS {
        let app = app_with_john().await;
        let a = app.sign_in("john", "my_password").await;
        let b = Tokens::of(&app.refresh(&a.refresh).await);
        step(&app, by).await;
        let future = u64::try_from(-by).unwrap_or(0);
        app.advance(future + 31);
        app.refresh(&a.refresh).await.is_problem(401, "invalid_token");
        app.refresh(&b.refresh).await.is_problem(401, "invalid_token");
        let events = app.misuse_events().await;
        assert_eq!(events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["refresh_token_reused"]);
    }
}

#[apply(trial)]
async fn clock_follows_the_reference_clock_r20() {
    let app = app_with_john().await;
    let before = app.app.clock.now();
    for (by, is_step) in [(HOUR, true), (-HOUR, true), (6, true), (-6, true), (5, false), (-5, false)] {
        app.step(by);
        assert_eq!(app.sync_clock().await, if is_step { by } else { 0 });
        assert_eq!(app.sync_clock().await, 0, "a step is noticed once");
    }
    assert_eq!(app.app.clock.now(), before, "the steps cancel each other out");
    let metrics = app.app.metrics.text(vestibule::metrics::Gauges::default());
    assert!(metrics.contains("vestibule_clock_steps_total 4\n"), "{metrics}");

    step(&app, HOUR).await;
    let after = before + Duration::from_hours(1);
    let token = app.access_token("john", "my_password").await;
    assert_eq!(forge::decode_part(&token, 1)["iat"], after.seconds());
    let sessions = app.get("/me/sessions").bearer(&token).send().await;
    assert_eq!(sessions.body["items"][0]["created_at"], after.to_string(), "{sessions:?}");
}

#[apply(trial)]
async fn clock_keeps_running_without_a_database_r20() {
    let app = app_with_john().await;
    // A frozen clock synchronizes without a database, so this uses the system clock.
    let clock = Clock::system();
    let instance = startup::open(&app.config, clock.clone(), &app.app.metrics).await.unwrap();
    instance.db.close().await.unwrap();
    let before = clock.now();
    let synchronized = sync_clock(&instance).await;
    let by_host = instance.db.get_database_backend() == DatabaseBackend::Sqlite;
    assert_eq!(synchronized.is_ok(), by_host, "{synchronized:?}");
    assert!(clock.now() >= before && clock.now().since(before) < Duration::from_secs(10));
}

/// Uses two instances with their own clocks, which step by the same amount.
#[apply(trial)]
async fn instances_agree_in_whichever_order_they_notice_a_step_r21() {
    for (by, other_first) in STEPS.into_iter().flat_map(|by| [(by, false), (by, true)]) {
        let app = app_with_john().await;
        let other = app.start_instance_with_clock(Clock::frozen(app.app.clock.host_time())).await;
        let a = app.sign_in("john", "my_password").await;
        let b = Tokens::of(&app.refresh(&a.refresh).await);
        app.step(by);
        other.step(by);
        let order = if other_first { [&other, &app] } else { [&app, &other] };
        for first in order {
            assert_eq!(first.sync_clock().await, by);
            for either in [&app, &other] {
                assert_eq!(Tokens::of(&either.refresh(&a.refresh).await).refresh, b.refresh, "{by}, {other_first}");
            }
        }
        assert_eq!(app.app.clock.now(), other.app.clock.now());
        let c = Tokens::of(&other.refresh(&b.refresh).await);
        assert_eq!(Tokens::of(&app.refresh(&b.refresh).await).refresh, c.refresh);
        assert!(app.accepts(&c.access).await && other.accepts(&c.access).await);
        assert_eq!(app.misuse_events().await.len(), 0);
    }
}

/// Two hosts with clocks 90 seconds apart use the clock of their database.
#[apply(trial)]
#[on(Servers)]
async fn host_clock_difference_has_no_effect_r21() {
    let app = TestApp::builder().default_limits().setting("limits.lockout_threshold", 5).start().await;
    let [a, b] = [Clock::system(), Clock::system()];
    b.adjust(offset(90));
    let (a, b) = (app.start_instance_with_clock(a).await, app.start_instance_with_clock(b).await);
    a.create_user("john", "my_password").await;
    let mut tokens = a.sign_in("john", "my_password").await;
    for (one, other) in [(&a, &b), (&b, &a), (&a, &b)] {
        let next = Tokens::of(&one.refresh(&tokens.refresh).await);
        assert_eq!(Tokens::of(&other.refresh(&tokens.refresh).await).refresh, next.refresh);
        assert!(one.accepts(&next.access).await && other.accepts(&next.access).await);
        tokens = next;
    }
    assert_eq!(app.misuse_events().await.len(), 0);
    for number in 0..5 {
        assert_eq!(try_login([&a, &b][number % 2], "john", "wrong", client_ip(number)).await, Ok(false));
    }
    for either in [&a, &b] {
        let wait = try_login(either, "john", "my_password", client_ip(9)).await.unwrap_err();
        // One day, minus the time that has passed, plus the difference that synchronized clocks may have.
        assert!((86_340..=86_405).contains(&wait), "{wait}");
    }
    let caller = authenticate(&b.app, &tokens.access.into()).await.unwrap();
    assert_eq!(caller.user.username, "john");
}

#[apply(trial)]
async fn database_clock_is_the_reference_clock_r21() {
    let app = TestApp::new().await;
    let clock = Clock::system();
    clock.adjust(offset(-90));
    let instance = startup::open(&app.config, clock.clone(), &app.app.metrics).await.unwrap();
    let statement = match instance.db.get_database_backend() {
        DatabaseBackend::Sqlite => "SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER) AS micros",
        DatabaseBackend::Postgres => "SELECT CAST(EXTRACT(EPOCH FROM now()) * 1000000 AS BIGINT) AS micros",
        _ => "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED) AS micros",
    };
    let before = clock.now();
    let statement = Statement::from_string(instance.db.get_database_backend(), statement);
    let row = instance.db.query_one_raw(statement).await.unwrap().unwrap();
    let shown = Timestamp::from_micros(row.try_get("", "micros").unwrap());
    let difference = ClockOffset::between(shown, before).abs();
    assert!(difference < Duration::from_secs(2), "{difference:?}");
    assert_eq!(sync_clock(&instance).await.unwrap(), None);
    let body = json!({ "username": "john", "password": "my_password" });
    app.post("/login").json(&body).send().await.is_problem(401, "invalid_credentials");
}

/// Returns an offset in seconds.
fn offset(seconds: i64) -> ClockOffset {
    ClockOffset::between(Timestamp::from_micros(seconds * 1_000_000), Timestamp::from_micros(0))
}
