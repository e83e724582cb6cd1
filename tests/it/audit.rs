//! The audit log: which actions record an event, and how tampering is detected.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use sea_orm::{ActiveEnum as _, EntityTrait as _, Iterable as _, QueryOrder as _};
use serde_json::json;
use vestibule::{
    domain::{
        admin::{
            reset_keys::reset_keys,
            users::{delete_user, disable_user, enable_user, find_user, set_password, unlock_user},
        },
        audit::{self, Filter, Finding, Kind, Verification},
        auth::login::{LoginError, login},
    },
    entity::audit_event::{self, Column, Model},
    ids::UserId,
    jobs::run_cleanup,
    startup,
};

use crate::{
    rate_limits::{client_ip, try_login},
    support::{
        TestApp,
        app::{Tokens, login_attempt},
        client::TestResponse,
        forge, rounds,
    },
};

async fn app_with_john() -> TestApp {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    app
}

/// Returns all events of the chain, in order.
async fn all_events(app: &TestApp) -> Vec<Model> {
    audit_event::Entity::find().order_by_asc(Column::Position).all(&app.app.db).await.unwrap()
}

async fn verify(app: &TestApp) -> Verification {
    audit::verify(&app.app.db, &app.app.audit).await.unwrap()
}

async fn findings(app: &TestApp) -> Vec<Finding> {
    verify(app).await.findings
}

/// Returns a service whose audit log has eight events, and its verification.
async fn app_with_audit_log() -> (TestApp, Verification) {
    let app = app_with_john().await;
    for _ in 0..5 {
        app.access_token("john", "my_password").await;
        app.advance(60);
    }
    let verified = verify(&app).await;
    assert_eq!((verified.first, verified.last, verified.events), (1, 8, 8));
    assert_eq!((verified.outside, verified.findings.as_slice()), (0, [].as_slice()));
    (app, verified)
}

/// Formats an event without its time and request.
fn format_event(event: &Model) -> String {
    let who = [event.user_id.map(|id| id.to_string()), event.session_id.map(|id| id.to_string())];
    let who = who.map(|id| id.unwrap_or_else(|| "-".to_owned()));
    let reason = event.reason.as_deref().unwrap_or("-");
    let address = event.client_ip.as_deref().unwrap_or("-");
    format!("{} {} {} {reason} {} {} {address}", event.kind, event.actor, event.outcome, who[0], who[1])
}

#[apply(trial)]
async fn each_action_records_one_audit_event_s113() {
    let app = TestApp::new().await;
    let mut seen = all_events(&app).await.iter().map(format_event).collect::<Vec<_>>();
    assert_eq!(seen, ["audit_log_started service success - - - -", "signing_key_created service success - - - -"]);
    let mut expect = async |response: Option<&TestResponse>, expected: &str| {
        let events = all_events(&app).await;
        let new = &events[seen.len()..];
        assert_eq!(new.iter().map(format_event).collect::<Vec<_>>(), [expected]);
        assert_eq!(new[0].occurred_at, app.app.clock.now());
        let id = new[0].request_id.map(|id| id.to_string());
        assert_eq!(id.as_deref(), response.map(|response| response.header("x-request-id")), "{expected}");
        seen.push(expected.to_owned());
        app.advance(1);
    };
    let body = json!({ "username": "john", "password": "my_password" });
    let made = app.post("/register").json(&body).send().await;
    let john: UserId = made.body["id"].as_str().unwrap().parse().unwrap();
    expect(Some(&made), &format!("user_created client success - {john} - 127.0.0.1")).await;
    let log_in = async || {
        let response = app.post("/login").json(&body).send().await;
        let tokens = Tokens::of(&response);
        let sid = forge::decode_part(&tokens.access, 1)["sid"].as_str().unwrap().to_owned();
        (response, tokens, sid)
    };
    let (response, out, sid_out) = log_in().await;
    expect(Some(&response), &format!("login client success - {john} {sid_out} 127.0.0.1")).await;
    let response = app.post("/logout").bearer(&out.access).send().await;
    expect(Some(&response), &format!("logout client success - {john} {sid_out} 127.0.0.1")).await;
    let (response, kept, sid_kept) = log_in().await;
    expect(Some(&response), &format!("login client success - {john} {sid_kept} 127.0.0.1")).await;
    let (response, _, sid_other) = log_in().await;
    expect(Some(&response), &format!("login client success - {john} {sid_other} 127.0.0.1")).await;
    let response = app.call("DELETE", &format!("/me/sessions/{sid_other}")).bearer(&kept.access).send().await;
    expect(Some(&response), &format!("session_revoked client success - {john} {sid_other} 127.0.0.1")).await;
    let response = app.call("DELETE", "/me/sessions").bearer(&kept.access).send().await;
    expect(Some(&response), &format!("other_sessions_revoked client success - {john} {sid_kept} 127.0.0.1")).await;
    let new = json!({ "current_password": "my_password", "new_password": "another_password" });
    let response = app.post("/me/password").bearer(&kept.access).json(&new).send().await;
    expect(Some(&response), &format!("password_changed client success - {john} {sid_kept} 127.0.0.1")).await;
    let response = app.post("/token/revoke").json(&json!({ "refresh_token": kept.refresh })).send().await;
    expect(Some(&response), &format!("refresh_token_revoked client success - {john} {sid_kept} 127.0.0.1")).await;
    let owner = find_user(&app.app, "john").await.unwrap();
    set_password(&app.app, &owner, &"my_password".to_owned().into()).await.unwrap();
    expect(None, &format!("password_set operator success - {john} - -")).await;
    let (response, stolen, sid_stolen) = log_in().await;
    expect(Some(&response), &format!("login client success - {john} {sid_stolen} 127.0.0.1")).await;
    let next = Tokens::of(&app.refresh(&stolen.refresh).await);
    Tokens::of(&app.refresh(&next.refresh).await);
    let response = app.refresh(&stolen.refresh).await;
    expect(Some(&response), &format!("refresh_token_reused client failure - {john} {sid_stolen} 127.0.0.1")).await;
    let (response, early, sid_early) = log_in().await;
    expect(Some(&response), &format!("login client success - {john} {sid_early} 127.0.0.1")).await;
    let late = Tokens::of(&app.refresh(&early.refresh).await);
    app.sql("UPDATE session SET counter = 0").await;
    let response = app.refresh(&late.refresh).await;
    expect(Some(&response), &format!("refresh_token_out_of_sequence client failure - {john} {sid_early} 127.0.0.1"))
        .await;
    disable_user(&app.app, john).await.unwrap();
    expect(None, &format!("user_disabled operator success - {john} - -")).await;
    enable_user(&app.app, john).await.unwrap();
    expect(None, &format!("user_enabled operator success - {john} - -")).await;
    unlock_user(&app.app, &owner).await.unwrap();
    expect(None, &format!("user_unlocked operator success - {john} - -")).await;
    delete_user(&app.app, john).await.unwrap();
    expect(None, &format!("user_deleted operator success - {john} - -")).await;
    assert_eq!(findings(&app).await, []);
    let kinds = seen.iter().map(|recorded| recorded.split(' ').next().unwrap().to_owned()).collect::<BTreeSet<_>>();
    // These two have their own tests.
    let elsewhere = [Kind::UserLocked, Kind::KeysReset];
    let all = Kind::iter().filter(|kind| !elsewhere.contains(kind)).map(|kind| kind.to_value());
    assert_eq!(kinds, all.collect(), "not every kind was recorded");
}

#[apply(trial)]
async fn failed_logins_record_the_reason_but_no_input_s113() {
    let app = app_with_john().await;
    let john = find_user(&app.app, "john").await.unwrap();
    let token = app.access_token("john", "my_password").await;
    let before = all_events(&app).await.len();
    let log_in = async |name: &str, password: &str| {
        let response = app.post("/login").json(&json!({ "username": name, "password": password })).send().await;
        response.is_problem(401, "invalid_credentials");
    };
    log_in("john", "canary-guess").await;
    log_in("canary-name", "canary-guess").await;
    log_in("canary in the wrong field", "canary-guess").await;
    let wrong = json!({ "current_password": "canary-guess", "new_password": "canary-new-one" });
    app.post("/me/password").bearer(&token).json(&wrong).send().await.is_problem(401, "invalid_credentials");
    disable_user(&app.app, john.id).await.unwrap();
    log_in("john", "my_password").await;
    let events = all_events(&app).await;
    let recorded = events[before..].iter().map(format_event).collect::<Vec<_>>();
    assert_eq!(
        recorded,
        [
            format!("login client failure wrong_password {} - 127.0.0.1", john.id),
            "login client failure unknown_user - - 127.0.0.1".to_owned(),
            "login client failure unknown_user - - 127.0.0.1".to_owned(),
            format!("password_changed client failure wrong_password {} - 127.0.0.1", john.id),
            format!("user_disabled operator success - {} - -", john.id),
            format!("login client failure user_disabled {} - 127.0.0.1", john.id),
        ]
    );
    assert!(!format!("{events:?}").contains("canary"));
    assert_eq!(findings(&app).await, []);
}

#[apply(trial)]
async fn lockout_is_recorded_once_s113() {
    let app = TestApp::builder().default_limits().setting("limits.lockout_threshold", "3").start().await;
    app.create_user("john", "my_password").await;
    for number in 0..5 {
        for name in ["john", "nobody"] {
            let outcome = try_login(&app, name, "wrong", client_ip(number)).await;
            assert_eq!(outcome.is_err(), number >= 3, "{name} {number}: {outcome:?}");
        }
    }
    let john = find_user(&app.app, "john").await.unwrap();
    let locks = all_events(&app).await.into_iter().filter(|event| event.kind == "user_locked").collect::<Vec<_>>();
    assert_eq!(locks.iter().map(|event| event.user_id).collect::<Vec<_>>(), [Some(john.id), None]);
    assert_eq!(findings(&app).await, []);
}

#[apply(trial)]
async fn action_fails_if_its_audit_event_cannot_be_written() {
    let app = app_with_john().await;
    let tokens = app.sign_in("john", "my_password").await;
    app.sql("DELETE FROM audit_head").await;
    let body = json!({ "username": "john", "password": "my_password" });
    app.post("/login").json(&body).send().await.is_problem(500, "internal");
    app.post("/logout").bearer(&tokens.access).send().await.is_problem(500, "internal");
    let wrong = json!({ "username": "john", "password": "wrong" });
    app.post("/login").json(&wrong).send().await.is_problem(500, "internal");
    let jane = json!({ "username": "jane", "password": "my_password" });
    app.post("/register").json(&jane).send().await.is_problem(500, "internal");
    assert!(app.accepts(&tokens.access).await);
    assert_eq!((app.count("session").await, app.count("user").await), (1, 1));
}

#[apply(trial)]
async fn failed_actions_record_no_audit_event() {
    let (app, before) = app_with_audit_log().await;
    let john = find_user(&app.app, "john").await.unwrap();
    let taken = json!({ "username": "john", "password": "my_password" });
    app.post("/register").json(&taken).send().await.is_problem(409, "username_taken");
    let tokens = app.sign_in("john", "my_password").await;
    let unknown = "/me/sessions/00000000-0000-4000-8000-000000000000";
    app.call("DELETE", unknown).bearer(&tokens.access).send().await.is_problem(404, "not_found");
    app.post("/token/revoke").json(&json!({ "refresh_token": "vst_r_nonsense" })).send().await;
    app.sql("DROP TABLE known_network").await;
    app.post("/login").json(&taken).send().await.is_problem(500, "internal");
    assert!(disable_user(&app.app, john.id).await.is_err());
    assert_eq!(verify(&app).await.last, before.last + 1, "only the login was recorded");
}

#[apply(trial)]
async fn parallel_instances_write_one_chain_s114() {
    let room = TestApp::builder().setting("passwords.queue_length", 1000);
    let app = room.setting("passwords.queue_timeout", "30s").start().await;
    app.create_user("john", "my_password").await;
    let instances = [app.start_instance().await, app.start_instance().await, app];
    let number = rounds(20, 200);
    let tries = (0..number).flat_map(|round| instances.iter().enumerate().map(move |pair| (round, pair)));
    let outcomes = join_all(tries.map(|(round, (_, app))| {
        let password = if round % 2 == 0 { "my_password" } else { "wrong" };
        login(&app.app, login_attempt("john", password))
    }));
    let outcomes = outcomes.await;
    let is_rejected = |outcome: &Result<_, LoginError>| matches!(outcome, Err(LoginError::InvalidCredentials));
    let failed = outcomes.iter().filter(|outcome| outcome.is_err() && !is_rejected(outcome)).collect::<Vec<_>>();
    assert_eq!(
        outcomes.iter().filter(|outcome| outcome.is_ok()).count(),
        instances.len() * number.div_ceil(2),
        "{failed:?}"
    );
    for app in &instances {
        let verified = verify(app).await;
        assert_eq!((verified.events, verified.findings), (3 + (instances.len() * number) as u64, Vec::new()));
    }
}

#[apply(trial)]
async fn altered_events_are_detected_s114() {
    let edits = [
        "occurred_at = occurred_at + 1",
        "actor = 'operator'",
        "kind = 'logout'",
        "outcome = 'failure'",
        "reason = 'wrong_password'",
        "user_id = session_id",
        "session_id = NULL",
        "client_ip = '127.0.0.2'",
        "client_ip = NULL",
        "request_id = NULL",
        "id = request_id",
        "mac = NULL",
    ];
    for edit in edits {
        let (app, _) = app_with_audit_log().await;
        app.sql(&format!("UPDATE audit_event SET {edit} WHERE position = 6")).await;
        let found = findings(&app).await;
        assert_eq!(found[0], Finding::Altered(6), "{edit}: {found:?}");
    }
    let (app, _) = app_with_audit_log().await;
    app.sql("UPDATE audit_event SET kind = 'no such kind', outcome = '' WHERE position = 8").await;
    assert_eq!(findings(&app).await, [Finding::Altered(8)], "the last event, changed to an unknown kind");
}

#[apply(trial)]
async fn removed_events_are_detected_s114() {
    for (removed, expected) in [
        ("position = 1", Finding::Removed(1, 1)),
        ("position IN (4, 5)", Finding::Removed(4, 5)),
        ("position = 8", Finding::Removed(8, 8)),
        ("position > 2", Finding::Removed(3, 8)),
    ] {
        let (app, _) = app_with_audit_log().await;
        app.sql(&format!("DELETE FROM audit_event WHERE {removed}")).await;
        assert_eq!(findings(&app).await, [expected], "{removed}");
        // New events do not hide the gap.
        app.access_token("john", "my_password").await;
        assert_eq!(findings(&app).await, [expected], "{removed}");
    }
}

#[apply(trial)]
async fn moved_and_added_events_are_detected_s114() {
    let (app, _) = app_with_audit_log().await;
    for (from, to) in [(4, 100), (5, 4), (100, 5)] {
        app.sql(&format!("UPDATE audit_event SET position = {to} WHERE position = {from}")).await;
    }
    assert_eq!(findings(&app).await, [4, 5, 6].map(Finding::Altered), "two swapped events");
    let (app, _) = app_with_audit_log().await;
    app.sql("UPDATE audit_event SET position = 0 WHERE position = 3").await;
    assert_eq!(findings(&app).await, [Finding::Removed(3, 3), Finding::Added(1)], "moved before the first event");
    let (app, _) = app_with_audit_log().await;
    app.sql("UPDATE audit_event SET position = 77 WHERE position = 3").await;
    assert_eq!(findings(&app).await, [Finding::Removed(3, 3), Finding::Added(1)], "moved after the last event");
    let (app, _) = app_with_audit_log().await;
    app.sql("UPDATE audit_event SET position = NULL WHERE position = 3").await;
    assert_eq!(findings(&app).await, [Finding::Removed(3, 3), Finding::Outside(1, 0)], "moved outside the chain");
}

#[apply(trial)]
async fn altered_head_is_detected_s114() {
    for (edit, expected) in [
        ("last_position = 7", vec![Finding::Altered(7), Finding::HeadAltered, Finding::Added(1)]),
        ("first_position = 3", vec![Finding::Altered(3), Finding::HeadAltered, Finding::Added(2)]),
        ("outside = 1", vec![Finding::HeadAltered, Finding::Outside(0, 1)]),
    ] {
        let (app, _) = app_with_audit_log().await;
        app.sql(&format!("UPDATE audit_head SET {edit}")).await;
        assert_eq!(findings(&app).await, expected, "{edit}");
    }
    let (app, _) = app_with_audit_log().await;
    app.sql("DELETE FROM audit_head").await;
    assert_eq!(findings(&app).await, [Finding::HeadRemoved]);
}

/// Recording an event authenticates the new head, so it must fail if the head was altered.
#[apply(trial)]
async fn altered_head_is_not_reauthenticated_s114() {
    let (app, before) = app_with_audit_log().await;
    let previous = before.last - 1;
    app.sql(&format!("DELETE FROM audit_event WHERE position = {}", before.last)).await;
    app.sql(&format!(
        "UPDATE audit_head SET last_position = {previous}, \
         last_mac = (SELECT mac FROM audit_event WHERE position = {previous})"
    ))
    .await;
    let body = json!({ "username": "john", "password": "my_password" });
    app.post("/login").json(&body).send().await.is_problem(500, "internal");
    assert_eq!(findings(&app).await, [Finding::HeadAltered]);
    app.advance(4000 * 24 * 60 * 60);
    assert!(run_cleanup(&app.app).await.is_err());
    assert_eq!(findings(&app).await, [Finding::HeadAltered]);
}

/// A rollback to an earlier state of the database is consistent in itself. Only a copy of the head reveals it.
#[apply(trial)]
async fn rollback_of_the_database_is_visible_in_the_head() {
    let (app, before) = app_with_audit_log().await;
    let head = vestibule::entity::audit_head::Entity::only().one(&app.app.db).await.unwrap().unwrap();
    app.access_token("john", "my_password").await;
    let newer = verify(&app).await;
    assert!(newer.last > before.last && newer.last_mac != before.last_mac);
    app.sql("DELETE FROM audit_event WHERE position = 9").await;
    vestibule::entity::audit_head::Entity::replace(head).exec(&app.app.db).await.unwrap();
    let put_back = verify(&app).await;
    assert_eq!((put_back.last, put_back.last_mac, put_back.findings), (before.last, before.last_mac, Vec::new()));
}

#[apply(trial)]
async fn expired_events_are_removed_and_the_rest_still_verifies() {
    let (app, before) = app_with_audit_log().await;
    let retention = app.config.audit.retention.get().as_secs();
    app.advance(retention - 5 * 60 + 1);
    let removed = run_cleanup(&app.app).await.unwrap();
    // Three events of the first minute, and one of a later minute.
    assert_eq!(removed.audit_events, 4);
    let after = verify(&app).await;
    assert_eq!((after.first, after.last, after.events), (5, before.last, 4));
    assert_eq!((after.last_mac, after.findings), (before.last_mac, Vec::new()));
    app.access_token("john", "my_password").await;
    app.advance(retention);
    assert_eq!(run_cleanup(&app.app).await.unwrap().audit_events, 4);
    app.advance(301);
    assert_eq!(run_cleanup(&app.app).await.unwrap().audit_events, 1, "removing the last event leaves an empty chain");
    assert_eq!(verify(&app).await.events, 0);
    app.access_token("john", "my_password").await;
    let again = verify(&app).await;
    assert_eq!((again.first, again.last, again.findings), (10, 10, Vec::new()));
}

#[apply(trial)]
async fn cleanup_removes_events_only_from_the_start_of_the_chain() {
    let app = TestApp::builder().setting("audit.retention", "1d").start().await;
    app.create_user("john", "my_password").await;
    app.sql("UPDATE audit_event SET occurred_at = occurred_at - 999999999999 WHERE position = 2").await;
    assert_eq!(run_cleanup(&app.app).await.unwrap().audit_events, 0);
    assert_eq!(findings(&app).await, [Finding::Altered(2)], "cleanup must not remove an event with a forged date");
}

#[apply(trial)]
async fn events_from_before_a_key_reset_are_counted_outside_the_chain() {
    let (app, before) = app_with_audit_log().await;
    reset_keys(&app.app.db, app.app.clock.now()).await.unwrap();
    let next = app.start_instance().await;
    let after = verify(&next).await;
    assert_eq!((after.first, after.last, after.outside), (1, 2, before.events + 1), "the reset is recorded too");
    assert_eq!(after.findings, []);
    let reset =
        audit::list(&next.app.db, &Filter { kind: Some(Kind::KeysReset), ..Filter::default() }, 10).await.unwrap();
    assert_eq!(reset.iter().map(format_event).collect::<Vec<_>>(), ["keys_reset operator success - - - -"]);
    next.sql("DELETE FROM audit_event WHERE kind = 'keys_reset'").await;
    assert_eq!(findings(&next).await, [Finding::Outside(before.events, i64::try_from(before.events).unwrap() + 1)]);
}

#[apply(trial)]
async fn start_fails_if_the_audit_head_is_missing() {
    let (app, _) = app_with_audit_log().await;
    app.sql("DELETE FROM audit_head").await;
    let error = startup::open(&app.config, app.app.clock.clone(), &app.app.metrics).await.unwrap_err().to_string();
    assert!(error.contains("head of the audit log"), "{error}");
}

#[apply(trial)]
async fn filters_return_the_matching_events() {
    let (app, _) = app_with_audit_log().await;
    let john = find_user(&app.app, "john").await.unwrap();
    let last = all_events(&app).await.pop().unwrap();
    let all = async |filter: Filter| audit::list(&app.app.db, &filter, 1_000).await.unwrap();
    let only = std::slice::from_ref(&last);
    let none = Filter::default;
    assert_eq!(all(none()).await, all_events(&app).await);
    assert_eq!(all(Filter { user: Some(john.id), ..none() }).await.len(), 6);
    assert_eq!(all(Filter { kind: Some(Kind::Login), ..none() }).await.len(), 5);
    assert!(all(Filter { outcome: Some(audit::Outcome::Failure), ..none() }).await.is_empty());
    assert_eq!(all(Filter { client_ip: Some("127.0.0.1".to_owned()), ..none() }).await.len(), 5);
    assert!(all(Filter { client_ip: Some("127.0.0.2".to_owned()), ..none() }).await.is_empty());
    assert_eq!(all(Filter { session: last.session_id, ..none() }).await, only);
    assert_eq!(all(Filter { request: last.request_id, ..none() }).await, only);
    assert_eq!(all(Filter { since: Some(last.occurred_at), ..none() }).await, only);
    assert_eq!(all(Filter { until: Some(last.occurred_at), ..none() }).await.len(), 7);
    let newest = audit::list(&app.app.db, &none(), 2).await.unwrap();
    assert_eq!(newest, all_events(&app).await[6..], "the two newest, in order");
}
