//! `POST /logout` and `/me/sessions`, what else ends sessions, and the cleanup of expired ones.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use vestibule::{
    domain::admin::users::{delete_user, disable_user, enable_user},
    entity,
    jobs::run_cleanup,
};

use crate::support::{TestApp, app::Tokens, client::TestResponse, contract::UNKNOWN_ID, forge};

fn session_id(tokens: &Tokens) -> String {
    forge::decode_part(&tokens.access, 1)["sid"].as_str().unwrap().to_owned()
}

async fn list_sessions(app: &TestApp, tokens: &Tokens) -> Vec<Value> {
    let response = app.get("/me/sessions").bearer(&tokens.access).send().await;
    assert_eq!(response.status, 200, "{response:?}");
    response.body["items"].as_array().unwrap().clone()
}

async fn is_ended(app: &TestApp, tokens: &Tokens) -> bool {
    let is_rejected = app.refresh(&tokens.refresh).await.status == 401;
    assert_eq!(app.accepts(&tokens.access).await, !is_rejected);
    is_rejected
}

#[apply(trial)]
async fn logout_ends_the_session_on_all_instances_immediately_s40() {
    let app = TestApp::new().await;
    let other = app.start_instance().await;
    app.create_user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    let bystander = app.sign_in("john", "my_password").await;
    assert!(other.accepts(&tokens.access).await);
    let response = app.post("/logout").bearer(&tokens.access).record().send().await;
    assert_eq!((response.status, response.text.as_str()), (204, ""));
    let begun = Instant::now();
    assert!(is_ended(&other, &tokens).await && is_ended(&app, &tokens).await);
    assert!(begun.elapsed() < Duration::from_millis(100) * 4, "four requests took {:?}", begun.elapsed());
    app.post("/logout").bearer(&tokens.access).send().await.is_problem(401, "invalid_token");
    assert!(other.accepts(&bystander.access).await);
}

#[apply(trial)]
async fn list_shows_all_sessions_of_the_user_s45() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    app.create_user("jane", "my_password").await;
    app.sign_in("jane", "my_password").await;
    let body = json!({ "username": "john", "password": "my_password" });
    let phone = Tokens::of(&app.post("/login").json(&body).header("user-agent", "phone").send().await);
    app.advance(60);
    let laptop = app.sign_in("john", "my_password").await;
    app.advance(60);
    let response = app.get("/me/sessions").bearer(&phone.access).record().send().await;
    let items = response.body["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!((&items[0]["id"], &items[0]["current"]), (&json!(session_id(&laptop)), &json!(false)));
    assert_eq!((&items[1]["id"], &items[1]["current"]), (&json!(session_id(&phone)), &json!(true)));
    assert_eq!((&items[1]["user_agent"], &items[1]["address"]), (&json!("phone"), &json!("127.0.0.1")));
    assert!(items[0].get("user_agent").is_none(), "must be absent, not null");
    assert_eq!(items[1]["created_at"], "2030-03-17T17:46:40Z");
    let body = json!({ "refresh_token": phone.refresh });
    Tokens::of(&app.post("/token/refresh").json(&body).header("user-agent", "phone 2").send().await);
    let items = list_sessions(&app, &phone).await;
    assert_eq!((&items[0]["user_agent"], &items[0]["current"]), (&json!("phone 2"), &json!(true)));
    assert_eq!(items[0]["last_used_at"], "2030-03-17T17:48:40Z");
    assert_eq!(items[0]["created_at"], "2030-03-17T17:46:40Z");
}

#[apply(trial)]
async fn other_sessions_can_be_ended_s45() {
    let app = TestApp::new().await;
    let other = app.start_instance().await;
    app.create_user("john", "my_password").await;
    app.create_user("jane", "my_password").await;
    let mine = app.sign_in("john", "my_password").await;
    let others = [app.sign_in("john", "my_password").await, app.sign_in("john", "my_password").await];
    let jane = app.sign_in("jane", "my_password").await;
    let response = app.call("DELETE", "/me/sessions").bearer(&mine.access).record().send().await;
    assert_eq!((response.status, response.text.as_str()), (204, ""));
    for tokens in &others {
        assert!(is_ended(&other, tokens).await);
    }
    assert_eq!(list_sessions(&app, &mine).await.len(), 1);
    assert!(!is_ended(&other, &mine).await && !is_ended(&app, &jane).await);
}

fn end_session(app: &TestApp, tokens: &Tokens, id: &str) -> crate::support::client::Call {
    app.call("DELETE", &format!("/me/sessions/{id}")).bearer(&tokens.access)
}

#[apply(trial)]
async fn one_session_can_be_ended_s45() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let [mine, ended, kept] = [(); 3].map(|()| app.sign_in("john", "my_password"));
    let (mine, ended, kept) = (mine.await, ended.await, kept.await);
    assert_eq!(end_session(&app, &mine, &session_id(&ended)).record().send().await.status, 204);
    assert!(is_ended(&app, &ended).await && !is_ended(&app, &kept).await);
    end_session(&app, &mine, &session_id(&ended)).record().send().await.is_problem(404, "not_found");
    assert_eq!(end_session(&app, &mine, &session_id(&mine)).send().await.status, 204, "the caller's own session");
    assert!(is_ended(&app, &mine).await);
}

#[apply(trial)]
async fn sessions_of_other_users_look_like_unknown_ones() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    app.create_user("jane", "my_password").await;
    let john = app.sign_in("john", "my_password").await;
    let jane = app.sign_in("jane", "my_password").await;
    let without_id = |response: &TestResponse| response.text.replace(response.header("x-request-id"), "");
    let unknown = end_session(&app, &john, UNKNOWN_ID).send().await;
    unknown.is_problem(404, "not_found");
    let upper = session_id(&john).to_uppercase();
    for id in [session_id(&jane).as_str(), "x", "%00", "..%2f", "' OR 1=1", &upper, &"0".repeat(4000)] {
        let response = end_session(&app, &john, &id.replace(' ', "%20")).send().await;
        assert_eq!((response.status, without_id(&response)), (404, without_id(&unknown)), "{id}");
    }
    assert!(!is_ended(&app, &jane).await && !is_ended(&app, &john).await);
}

#[apply(trial)]
async fn oldest_session_ends_if_there_are_too_many_s45() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    app.create_user("jane", "my_password").await;
    let jane = app.sign_in("jane", "my_password").await;
    let oldest = app.sign_in("john", "my_password").await;
    app.advance(1);
    let second = app.sign_in("john", "my_password").await;
    app.advance(1);
    for _ in 2..100 {
        app.sign_in("john", "my_password").await;
    }
    assert_eq!(list_sessions(&app, &oldest).await.len(), 100);
    app.advance(1);
    let newest = app.sign_in("john", "my_password").await;
    assert!(is_ended(&app, &oldest).await && !is_ended(&app, &second).await && !is_ended(&app, &jane).await);
    assert_eq!(list_sessions(&app, &newest).await.len(), 100);
}

#[apply(trial)]
async fn expired_sessions_do_not_count_against_the_limit() {
    let few = TestApp::builder().setting("sessions.max_per_user", 2);
    let app = few.setting("sessions.idle_lifetime", "60s").start().await;
    app.create_user("john", "my_password").await;
    let renewed = app.sign_in("john", "my_password").await;
    app.sign_in("john", "my_password").await;
    app.advance(59);
    let renewed = Tokens::of(&app.refresh(&renewed.refresh).await);
    app.advance(59);
    let late = app.sign_in("john", "my_password").await;
    assert!(!is_ended(&app, &late).await && app.accepts(&renewed.access).await);
}

#[apply(trial)]
async fn parallel_logins_respect_the_session_limit() {
    let few = TestApp::builder().setting("sessions.max_per_user", 3);
    let app = few.setting("passwords.queue_length", 100).start().await;
    let other = app.start_instance().await;
    app.create_user("john", "my_password").await;
    let logins = (0..24).map(|number| [&app, &other][number % 2].sign_in("john", "my_password"));
    let all = futures_util::future::join_all(logins).await;
    assert_eq!(app.count("session").await, 3);
    let ids: BTreeSet<_> = all.iter().map(session_id).collect();
    assert_eq!(ids.len(), 24);
}

#[apply(trial)]
async fn disabling_ends_sessions_and_enabling_does_not_restore_them_s43() {
    let app = TestApp::new().await;
    let other = app.start_instance().await;
    let john = app.create_user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    disable_user(&app.app, john.id).await.unwrap();
    assert!(is_ended(&other, &tokens).await);
    enable_user(&app.app, john.id).await.unwrap();
    assert!(is_ended(&other, &tokens).await);
    assert!(!is_ended(&other, &app.sign_in("john", "my_password").await).await);
}

#[apply(trial)]
async fn deleting_leaves_no_rows_s43() {
    let app = TestApp::new().await;
    let john = app.create_user("john", "my_password").await;
    let tokens = [app.sign_in("john", "my_password").await, app.sign_in("john", "my_password").await];
    delete_user(&app.app, john.id).await.unwrap();
    assert!(is_ended(&app, &tokens[0]).await && is_ended(&app, &tokens[1]).await);
    assert_eq!((app.count("user").await, app.count("session").await), (0, 0));
}

#[apply(trial)]
async fn cleanup_removes_expired_sessions_in_batches() {
    let app = TestApp::builder().setting("sessions.idle_lifetime", "60s").start().await;
    app.create_user("john", "my_password").await;
    app.sign_in("john", "my_password").await;
    for _ in 0..3 {
        copy_session(&app, 400).await;
    }
    app.advance(60);
    let live = app.sign_in("john", "my_password").await;
    assert_eq!(run_cleanup(&app.app).await.unwrap().sessions, 1201);
    assert_eq!(app.count("session").await, 1);
    assert!(!is_ended(&app, &live).await);
    app.advance(60);
    assert_eq!(run_cleanup(&app.app).await.unwrap().sessions, 0, "the job is not due");
    app.advance(240);
    assert_eq!(run_cleanup(&app.app).await.unwrap().sessions, 1);
}

#[apply(trial)]
async fn cleanup_is_run_by_one_instance() {
    let app = TestApp::builder().setting("sessions.idle_lifetime", "60s").start().await;
    let other = app.start_instance().await;
    app.create_user("john", "my_password").await;
    for round in 0..3 {
        app.sign_in("john", "my_password").await;
        app.advance(300);
        let runs = (0..16).map(|number| run_cleanup(if number % 2 == 0 { &app.app } else { &other.app }));
        let removed = futures_util::future::join_all(runs).await;
        let removed: Vec<_> =
            removed.into_iter().map(|removed| removed.unwrap().sessions).filter(|removed| *removed > 0).collect();
        assert_eq!(removed, [1], "round {round}");
    }
}

/// Inserts copies of a session row.
async fn copy_session(app: &TestApp, number: usize) {
    let one = entity::session::Entity::find().one(&app.app.db).await.unwrap().unwrap();
    let copy = |_| entity::session::Model { id: vestibule::ids::SessionId::random(), ..one.clone() };
    let more = (0..number).map(copy).map(entity::session::ActiveModel::from);
    entity::session::Entity::insert_many(more).exec_without_returning(&app.app.db).await.unwrap();
}

#[apply(trial)]
async fn due_time_in_the_far_future_does_not_stop_the_cleanup() {
    let app = TestApp::builder().setting("sessions.idle_lifetime", "60s").start().await;
    app.create_user("john", "my_password").await;
    run_cleanup(&app.app).await.unwrap();
    app.sql("UPDATE job SET due_at = 9000000000000000000").await;
    app.sign_in("john", "my_password").await;
    app.advance(60);
    assert_eq!(run_cleanup(&app.app).await.unwrap().sessions, 1);
    app.sign_in("john", "my_password").await;
    app.advance(60);
    assert_eq!(run_cleanup(&app.app).await.unwrap().sessions, 0, "the job must be on its usual schedule again");
}

#[apply(trial)]
async fn list_length_is_limited() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    copy_session(&app, 300).await;
    assert_eq!(list_sessions(&app, &tokens).await.len(), 100);
}
