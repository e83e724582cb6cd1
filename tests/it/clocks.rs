//! What becomes of sessions, tokens and waits when a clock is set, and when clocks differ. The numbers are those of the
//! promises that a test covers.

use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DatabaseBackend, EntityTrait as _, Statement};
use serde_json::json;
use vestibule::{
    clock::{Clock, Moment, TOLERANCE, Timestamp},
    domain::{clean_up, session},
    entity::{ONLY, clock},
    startup,
};

use crate::{
    support::{TestApp, app::Tokens, forge},
    throttle::{address, limited, sign_in},
};

crate::trials![
    throttles_take_no_notice_of_a_step_r20,
    throttles_take_no_notice_of_a_restart_after_a_step_r20,
    closed_account_stays_closed_for_its_day_r20,
    sessions_take_no_notice_of_a_step_r20,
    spent_access_tokens_stay_refused_r20,
    lost_answer_is_survived_over_a_step_r20,
    grace_is_no_wider_after_a_step_r20,
    rotation_of_the_future_is_within_no_grace_r20,
    access_token_of_the_future_is_refused_until_the_next_refresh_r20,
    dates_follow_and_are_told_r20,
    small_differences_are_followed_r20,
    absurd_clock_is_left_for_good_r20,
    clock_runs_by_itself_without_a_database_r20,
    instances_agree_however_they_meet_a_step_r21,
    instance_that_starts_beside_a_step_comes_to_agree_r21,
    instance_that_stood_still_moves_nobody_r21,
    clock_of_the_database_counts_r21;
    on Servers: clock_of_the_host_makes_no_difference_r21,
];

const HOUR: i64 = 60 * 60;
/// By how much clocks are set, in seconds.
const STEPS: [i64; 4] = [HOUR, -HOUR, 90, -90];

async fn john() -> TestApp {
    let app = TestApp::new().await;
    app.user("john", "my_password").await;
    app
}

/// Sets the clock that counts, and lets the service see it.
async fn set(app: &TestApp, by: i64) {
    app.step(by);
    assert_eq!(app.look().await, by);
}

/// What the throttles say to whom they hold up: at an account, at an address, of refused tokens, of a session.
async fn waits(app: &TestApp, session: &Tokens) -> [u64; 4] {
    let told = |answer: crate::support::client::Answer| -> u64 {
        answer.is_problem(429, "too_many_requests");
        answer.header("retry-after").parse().unwrap()
    };
    [
        sign_in(app, "john", "my_password", address(1)).await.unwrap_err(),
        sign_in(app, "jane", "my_password", address(2)).await.unwrap_err(),
        told(app.refresh("vst_r_nonsense").await),
        told(app.refresh(&session.refresh).await),
    ]
}

/// A service with limits, and somebody whom each of them holds up.
async fn held_up() -> (TestApp, Tokens) {
    let app = limited().await;
    app.user("john", "my_password").await;
    app.user("jane", "my_password").await;
    let mut session = app.sign_in("jane", "my_password").await;
    for number in 0.. {
        match sign_in(&app, "john", "wrong", address(100 + number)).await {
            Ok(_) => {}
            Err(wait) if wait < 64 => app.advance(wait),
            Err(_) => break,
        }
    }
    for _ in 0..30 {
        assert_eq!(sign_in(&app, "jane", "my_password", address(2)).await, Ok(true));
        app.refresh("vst_r_nonsense").await.is_problem(401, "invalid_token");
    }
    for _ in 0..60 {
        session = Tokens::of(&app.refresh(&session.refresh).await);
    }
    assert_eq!(waits(&app, &session).await, [64, 2, 2, 1]);
    (app, session)
}

async fn throttles_take_no_notice_of_a_step_r20() {
    for by in STEPS {
        let (app, session) = held_up().await;
        app.step(by);
        assert_eq!(waits(&app, &session).await, [64, 2, 2, 1], "before anybody has looked, {by}");
        app.look().await;
        clean_up::run(&app.app).await.unwrap();
        assert_eq!(waits(&app, &session).await, [64, 2, 2, 1], "{by}");
        app.advance(1);
        Tokens::of(&app.refresh(&session.refresh).await);
        assert_eq!(sign_in(&app, "jane", "my_password", address(2)).await, Err(1));
        app.advance(1);
        assert_eq!(sign_in(&app, "jane", "my_password", address(2)).await, Ok(true));
        app.advance(61);
        assert_eq!(sign_in(&app, "john", "my_password", address(1)).await, Err(1));
        app.advance(1);
        assert_eq!(sign_in(&app, "john", "my_password", address(1)).await, Ok(true), "after the wait that was told");
    }
}

async fn throttles_take_no_notice_of_a_restart_after_a_step_r20() {
    for by in STEPS {
        let (app, session) = held_up().await;
        set(&app, by).await;
        app.stop();
        let next = app.another_by(Clock::frozen(app.app.clock.wall())).await;
        assert_eq!(waits(&next, &session).await, [64, 2, 2, 1], "{by}");
        Tokens::of(&next.refresh(&next.sign_in("jane", "my_password").await.refresh).await);
    }
}

async fn closed_account_stays_closed_for_its_day_r20() {
    let app = TestApp::builder().usual_limits().setting("limits.lockout_threshold", "1").start().await;
    app.user("john", "my_password").await;
    assert_eq!(sign_in(&app, "john", "wrong", address(1)).await, Ok(false));
    for by in STEPS {
        set(&app, by).await;
        assert_eq!(sign_in(&app, "john", "my_password", address(1)).await, Err(24 * 60 * 60), "{by}");
    }
    app.advance(24 * 60 * 60);
    assert_eq!(sign_in(&app, "john", "my_password", address(1)).await, Ok(true));
}

async fn sessions_take_no_notice_of_a_step_r20() {
    const DAY: u64 = 24 * 60 * 60;
    for by in STEPS {
        let app = john().await;
        let (kept, lapsed) = (app.sign_in("john", "my_password").await, app.sign_in("john", "my_password").await);
        app.advance(14 * DAY - 1);
        let kept = Tokens::of(&app.refresh(&kept.refresh).await);
        set(&app, by).await;
        clean_up::run(&app.app).await.unwrap();
        assert_eq!(app.count("session").await, 2, "none has ended sooner, {by}");
        app.advance(1);
        let answer = app.refresh(&kept.refresh).await;
        assert_eq!(answer.body["refresh_expires_in"], 14 * DAY);
        assert!(app.knows(&Tokens::of(&answer).access).await, "{by}");
        app.refresh(&lapsed.refresh).await.is_problem(401, "invalid_token");
        set(&app, -by).await;
        set(&app, -by).await;
        app.refresh(&lapsed.refresh).await.is_problem(401, "invalid_token");
        assert_eq!(app.get("/me/sessions").bearer(&app.token("john", "my_password").await).send().await.status, 200);
        assert_eq!(app.misuses().await.len(), 0);
    }
}

/// Whatever the clock is set back by: to when the token was valid, to before it was made, to a time between.
async fn spent_access_tokens_stay_refused_r20() {
    let app = john().await;
    let tokens = app.sign_in("john", "my_password").await;
    assert!(app.knows(&tokens.access).await);
    app.advance(65 * 60);
    assert!(!app.knows(&tokens.access).await, "it has expired");
    for back in [6, 600, 3299, HOUR, 64 * 60, 3900, 3905, 2 * HOUR, 23 * HOUR] {
        set(&app, -back).await;
        assert!(!app.knows(&tokens.access).await, "{back} s back");
        set(&app, back).await;
    }
    set(&app, -HOUR).await;
    let new = Tokens::of(&app.refresh(&tokens.refresh).await);
    assert!(app.knows(&new.access).await && !app.knows(&tokens.access).await, "after the session was renewed");
    let next = app.another_by(Clock::frozen(app.app.clock.wall())).await;
    assert!(next.knows(&new.access).await && !next.knows(&tokens.access).await, "after a restart");
    app.advance(605);
    assert!(!app.knows(&new.access).await);
}

async fn lost_answer_is_survived_over_a_step_r20() {
    for by in STEPS {
        let app = john().await;
        let a = app.sign_in("john", "my_password").await;
        let b = Tokens::of(&app.refresh(&a.refresh).await);
        app.step(by);
        app.advance(14);
        assert_eq!(Tokens::of(&app.refresh(&a.refresh).await).refresh, b.refresh, "before anybody has looked, {by}");
        app.look().await;
        app.advance(15);
        let again = Tokens::of(&app.refresh(&a.refresh).await);
        assert_eq!(again.refresh, b.refresh, "{by}");
        assert!(app.knows(&again.access).await);
        Tokens::of(&app.refresh(&b.refresh).await);
        assert_eq!(app.misuses().await.len(), 0);
    }
}

async fn grace_is_no_wider_after_a_step_r20() {
    for by in STEPS {
        let app = john().await;
        let a = app.sign_in("john", "my_password").await;
        let b = Tokens::of(&app.refresh(&a.refresh).await);
        // So long that a clock set back by as much shows the time of the rotation once more.
        app.advance(by.unsigned_abs());
        set(&app, by).await;
        app.refresh(&a.refresh).await.is_problem(401, "invalid_token");
        app.refresh(&b.refresh).await.is_problem(401, "invalid_token");
        let events = app.misuses().await;
        assert_eq!(events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["refresh_token_reused"]);
    }
}

/// As after a restart beside a step that nobody has seen: it cannot be told how long ago the rotation was.
async fn rotation_of_the_future_is_within_no_grace_r20() {
    let app = john().await;
    let tolerance = TOLERANCE.as_secs();
    let a = app.sign_in("john", "my_password").await;
    let b = Tokens::of(&app.refresh(&a.refresh).await);
    app.sql(&format!("UPDATE session SET rotated_at = rotated_at + {tolerance}000000")).await;
    assert_eq!(Tokens::of(&app.refresh(&a.refresh).await).refresh, b.refresh, "clocks may differ by so much");
    app.sql("UPDATE session SET rotated_at = rotated_at + 1").await;
    for _ in 0..3 {
        app.refresh(&a.refresh).await.is_problem(401, "invalid_token");
    }
    assert!(app.knows(&b.access).await, "the session goes on");
    assert_eq!(app.misuses().await.len(), 0);
    app.advance(tolerance + 31);
    let c = Tokens::of(&app.refresh(&b.refresh).await);
    app.refresh(&a.refresh).await.is_problem(401, "invalid_token");
    app.refresh(&c.refresh).await.is_problem(401, "invalid_token");
    assert_eq!(app.misuses().await.len(), 1, "a real replay ends it");
}

async fn access_token_of_the_future_is_refused_until_the_next_refresh_r20() {
    let app = john().await;
    let tokens = app.sign_in("john", "my_password").await;
    set(&app, -HOUR).await;
    assert!(!app.knows(&tokens.access).await, "nobody else would accept it either");
    let new = Tokens::of(&app.refresh(&tokens.refresh).await);
    assert!(app.knows(&new.access).await);
    set(&app, HOUR).await;
    assert!(!app.knows(&new.access).await, "expired, as everybody else would find");
    assert!(app.knows(&Tokens::of(&app.refresh(&new.refresh).await).access).await);
}

async fn dates_follow_and_are_told_r20() {
    for by in STEPS {
        let app = john().await;
        let before = app.app.clock.read();
        app.step(by);
        assert_eq!(app.app.clock.now(), before.date, "not before somebody looks");
        assert_eq!(app.look().await, by);
        assert_eq!(app.look().await, 0, "once");
        let after = app.app.clock.read();
        assert_eq!((after.date.micros_after(before.date), after.moment), (by * 1_000_000, before.moment));
        let token = app.token("john", "my_password").await;
        assert_eq!(forge::part(&token, 1)["iat"], after.date.seconds());
        let sessions = app.get("/me/sessions").bearer(&token).send().await;
        assert_eq!(sessions.body["items"][0]["created_at"], after.date.to_string(), "{sessions:?}");
    }
}

/// As a clock is slewed, or told a little wrongly: then moments follow too, so that they keep pace.
async fn small_differences_are_followed_r20() {
    let app = john().await;
    let before = app.app.clock.read();
    for by in [1, -1, 5, -5, 3] {
        app.step(by);
        assert_eq!(app.look().await, 0);
    }
    let after = app.app.clock.read();
    assert_eq!(
        (after.date, after.moment),
        (before.date + Duration::from_secs(3), before.moment + Duration::from_secs(3))
    );
    assert_eq!(app.count("clock").await, 0, "nothing to agree on");
    app.step(6);
    assert_eq!(app.look().await, 6);
    assert_eq!(app.app.clock.steady(), after.moment);
    let rows = clock::Entity::find().all(&app.app.db).await.unwrap();
    assert_eq!(rows, [clock::Model { id: ONLY, ahead: -6_000_000 }]);
}

/// A host that starts in 1970 and is set right later: what is measured from then would end in half a century.
async fn absurd_clock_is_left_for_good_r20() {
    let app = john().await;
    let tokens = app.sign_in("john", "my_password").await;
    let right = app.app.clock.wall();
    app.stop();
    let next = app.another_by(Clock::frozen(Timestamp::from_micros(0))).await;
    assert_eq!(next.app.clock.steady(), Moment::from_millis(0));
    next.step(right.seconds());
    assert_eq!(next.look().await, right.seconds());
    assert_eq!(next.app.clock.read().moment, app.app.clock.steady());
    Tokens::of(&next.refresh(&tokens.refresh).await);
    next.advance(14 * 24 * 60 * 60);
    next.refresh(&tokens.refresh).await.is_problem(401, "invalid_token");
}

async fn clock_runs_by_itself_without_a_database_r20() {
    let app = john().await;
    let before = app.app.clock.read();
    app.step(HOUR);
    app.app.db.close().await.unwrap();
    assert!(vestibule::domain::clock::look(&app.app).await.is_err());
    let after = app.app.clock.read();
    assert_eq!((after.date, after.moment), (before.date, before.moment));
}

/// Two instances by two clocks, which are set alike.
async fn instances_agree_however_they_meet_a_step_r21() {
    for (by, other_first) in STEPS.into_iter().flat_map(|by| [(by, false), (by, true)]) {
        let app = john().await;
        let other = app.another_by(Clock::frozen(app.app.clock.wall())).await;
        let a = app.sign_in("john", "my_password").await;
        let b = Tokens::of(&app.refresh(&a.refresh).await);
        app.step(by);
        other.step(by);
        let order = if other_first { [&other, &app] } else { [&app, &other] };
        for looking in order {
            assert_eq!(looking.look().await, by);
            for either in [&app, &other] {
                assert_eq!(Tokens::of(&either.refresh(&a.refresh).await).refresh, b.refresh, "{by}, {other_first}");
            }
        }
        assert_eq!(app.app.clock.steady(), other.app.clock.steady());
        let c = Tokens::of(&other.refresh(&b.refresh).await);
        assert_eq!(Tokens::of(&app.refresh(&b.refresh).await).refresh, c.refresh);
        assert!(app.knows(&c.access).await && other.knows(&c.access).await);
        assert_eq!((app.look().await, other.look().await), (0, 0));
        assert_eq!(app.misuses().await.len(), 0);
    }
}

/// It has no way to know of a step that nobody has seen yet, and goes by the row as soon as somebody has.
async fn instance_that_starts_beside_a_step_comes_to_agree_r21() {
    for by in STEPS {
        let (app, session) = held_up().await;
        app.step(by);
        let new = app.another_by(Clock::frozen(app.app.clock.wall())).await;
        assert_eq!(app.look().await, by);
        assert_eq!(new.look().await, 0);
        assert_eq!(app.app.clock.steady(), new.app.clock.steady(), "{by}");
        assert_eq!(waits(&new, &session).await, [64, 2, 2, 1]);
        assert_eq!(app.look().await, 0);
        assert_eq!(waits(&app, &session).await, [64, 2, 2, 1]);
    }
}

/// As a virtual machine that was paused: all at once, the clock that counts is far ahead.
async fn instance_that_stood_still_moves_nobody_r21() {
    for paused_first in [true, false] {
        let (app, session) = held_up().await;
        let paused = app.another_by(Clock::frozen(app.app.clock.wall())).await;
        for _ in 0..3 {
            assert_eq!((app.look().await, paused.look().await), (0, 0));
        }
        paused.step(HOUR);
        assert_eq!(paused.look().await, HOUR);
        let before = app.app.clock.read();
        for _ in 0..3 {
            let order = if paused_first { [&paused, &app] } else { [&app, &paused] };
            for looking in order {
                assert_eq!(looking.look().await, 0);
                assert_eq!(waits(&app, &session).await, [64, 2, 2, 1]);
            }
        }
        let after = app.app.clock.read();
        assert_eq!((after.date, after.moment), (before.date, before.moment));
        assert_eq!(clock::Entity::find().one(&app.app.db).await.unwrap().unwrap().ahead, 0);
        assert_eq!(paused.app.clock.ahead(), 0, "it has made up for what it missed");
    }
}

/// Two hosts whose clocks are 90 seconds apart, and the clock of their database, which they go by.
async fn clock_of_the_host_makes_no_difference_r21() {
    let app = TestApp::builder().usual_limits().setting("limits.lockout_threshold", 5).start().await;
    let [a, b] = [Clock::system(), Clock::system()];
    b.follow(90_000_000, 0);
    let (a, b) = (app.another_by(a).await, app.another_by(b).await);
    a.user("john", "my_password").await;
    let mut tokens = a.sign_in("john", "my_password").await;
    for (one, other) in [(&a, &b), (&b, &a), (&a, &b)] {
        let next = Tokens::of(&one.refresh(&tokens.refresh).await);
        assert_eq!(Tokens::of(&other.refresh(&tokens.refresh).await).refresh, next.refresh);
        assert!(one.knows(&next.access).await && other.knows(&next.access).await);
        tokens = next;
    }
    assert_eq!(app.misuses().await.len(), 0);
    for number in 0..5 {
        assert_eq!(sign_in([&a, &b][number % 2], "john", "wrong", address(number)).await, Ok(false));
    }
    for either in [&a, &b] {
        let wait = sign_in(either, "john", "my_password", address(9)).await.unwrap_err();
        // A day, but for what has passed, and for what clocks that agree may differ by.
        assert!((86_340..=86_405).contains(&wait), "{wait}");
    }
    let caller = session::authenticate(&b.app, &tokens.access.into()).await.unwrap();
    assert_eq!(caller.account.username, "john");
}

async fn clock_of_the_database_counts_r21() {
    let app = TestApp::new().await;
    let clock = Clock::system();
    clock.follow(-90_000_000, 0);
    let instance = startup::open(&app.config, clock.clone(), &app.app.metrics).await.unwrap();
    let statement = match instance.db.get_database_backend() {
        DatabaseBackend::Sqlite => "SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER) AS micros",
        DatabaseBackend::Postgres => "SELECT CAST(EXTRACT(EPOCH FROM now()) * 1000000 AS BIGINT) AS micros",
        _ => "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED) AS micros",
    };
    let before = clock.now();
    let statement = Statement::from_string(instance.db.get_database_backend(), statement);
    let row = instance.db.query_one_raw(statement).await.unwrap().unwrap();
    let told = Timestamp::from_micros(row.try_get("", "micros").unwrap());
    let difference = Duration::from_micros(told.micros_after(before).unsigned_abs());
    assert!(difference < Duration::from_secs(2), "{difference:?}");
    assert_eq!(clock.ahead(), 0);
    assert_eq!(vestibule::domain::clock::look(&instance).await.unwrap(), None);
    let body = json!({ "username": "john", "password": "my_password" });
    app.post("/login").json(&body).send().await.is_problem(401, "invalid_credentials");
}
