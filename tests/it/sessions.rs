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

use crate::support::{TestApp, app::Tokens, client::Answer, contract::NOTHING, forge};

fn sid(tokens: &Tokens) -> String {
    forge::part(&tokens.access, 1)["sid"].as_str().unwrap().to_owned()
}

async fn listed(app: &TestApp, tokens: &Tokens) -> Vec<Value> {
    let answer = app.get("/me/sessions").bearer(&tokens.access).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["items"].as_array().unwrap().clone()
}

async fn is_over(app: &TestApp, tokens: &Tokens) -> bool {
    let is_rejected = app.refresh(&tokens.refresh).await.status == 401;
    assert_eq!(app.knows(&tokens.access).await, !is_rejected);
    is_rejected
}

#[apply(trial)]
async fn logout_ends_the_session_everywhere_at_once_s40() {
    let app = TestApp::new().await;
    let other = app.another().await;
    app.user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    let bystander = app.sign_in("john", "my_password").await;
    assert!(other.knows(&tokens.access).await);
    let answer = app.post("/logout").bearer(&tokens.access).record().send().await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    let begun = Instant::now();
    assert!(is_over(&other, &tokens).await && is_over(&app, &tokens).await);
    assert!(begun.elapsed() < Duration::from_millis(100) * 4, "four requests took {:?}", begun.elapsed());
    app.post("/logout").bearer(&tokens.access).send().await.is_problem(401, "invalid_token");
    assert!(other.knows(&bystander.access).await);
}

#[apply(trial)]
async fn list_shows_where_the_account_is_signed_in_s45() {
    let app = TestApp::new().await;
    app.user("john", "my_password").await;
    app.user("jane", "my_password").await;
    app.sign_in("jane", "my_password").await;
    let body = json!({ "username": "john", "password": "my_password" });
    let phone = Tokens::of(&app.post("/login").json(&body).header("user-agent", "phone").send().await);
    app.advance(60);
    let laptop = app.sign_in("john", "my_password").await;
    app.advance(60);
    let answer = app.get("/me/sessions").bearer(&phone.access).record().send().await;
    let items = answer.body["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!((&items[0]["id"], &items[0]["current"]), (&json!(sid(&laptop)), &json!(false)));
    assert_eq!((&items[1]["id"], &items[1]["current"]), (&json!(sid(&phone)), &json!(true)));
    assert_eq!((&items[1]["user_agent"], &items[1]["address"]), (&json!("phone"), &json!("127.0.0.1")));
    assert!(items[0].get("user_agent").is_none(), "must be absent, not null");
    assert_eq!(items[1]["created_at"], "2030-03-17T17:46:40Z");
    let body = json!({ "refresh_token": phone.refresh });
    Tokens::of(&app.post("/token/refresh").json(&body).header("user-agent", "phone 2").send().await);
    let items = listed(&app, &phone).await;
    assert_eq!((&items[0]["user_agent"], &items[0]["current"]), (&json!("phone 2"), &json!(true)));
    assert_eq!(items[0]["last_used_at"], "2030-03-17T17:48:40Z");
    assert_eq!(items[0]["created_at"], "2030-03-17T17:46:40Z");
}

#[apply(trial)]
async fn others_can_be_ended_s45() {
    let app = TestApp::new().await;
    let other = app.another().await;
    app.user("john", "my_password").await;
    app.user("jane", "my_password").await;
    let mine = app.sign_in("john", "my_password").await;
    let others = [app.sign_in("john", "my_password").await, app.sign_in("john", "my_password").await];
    let jane = app.sign_in("jane", "my_password").await;
    let answer = app.call("DELETE", "/me/sessions").bearer(&mine.access).record().send().await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    for tokens in &others {
        assert!(is_over(&other, tokens).await);
    }
    assert_eq!(listed(&app, &mine).await.len(), 1);
    assert!(!is_over(&other, &mine).await && !is_over(&app, &jane).await);
}

fn end(app: &TestApp, tokens: &Tokens, id: &str) -> crate::support::client::Call {
    app.call("DELETE", &format!("/me/sessions/{id}")).bearer(&tokens.access)
}

#[apply(trial)]
async fn one_session_can_be_ended_s45() {
    let app = TestApp::new().await;
    app.user("john", "my_password").await;
    let [mine, ended, kept] = [(); 3].map(|()| app.sign_in("john", "my_password"));
    let (mine, ended, kept) = (mine.await, ended.await, kept.await);
    assert_eq!(end(&app, &mine, &sid(&ended)).record().send().await.status, 204);
    assert!(is_over(&app, &ended).await && !is_over(&app, &kept).await);
    end(&app, &mine, &sid(&ended)).record().send().await.is_problem(404, "not_found");
    assert_eq!(end(&app, &mine, &sid(&mine)).send().await.status, 204, "the caller's own session");
    assert!(is_over(&app, &mine).await);
}

#[apply(trial)]
async fn sessions_of_others_look_like_unknown_ones() {
    let app = TestApp::new().await;
    app.user("john", "my_password").await;
    app.user("jane", "my_password").await;
    let john = app.sign_in("john", "my_password").await;
    let jane = app.sign_in("jane", "my_password").await;
    let without_id = |answer: &Answer| answer.text.replace(answer.header("x-request-id"), "");
    let unknown = end(&app, &john, NOTHING).send().await;
    unknown.is_problem(404, "not_found");
    let upper = sid(&john).to_uppercase();
    for id in [sid(&jane).as_str(), "x", "%00", "..%2f", "' OR 1=1", &upper, &"0".repeat(4000)] {
        let answer = end(&app, &john, &id.replace(' ', "%20")).send().await;
        assert_eq!((answer.status, without_id(&answer)), (404, without_id(&unknown)), "{id}");
    }
    assert!(!is_over(&app, &jane).await && !is_over(&app, &john).await);
}

#[apply(trial)]
async fn oldest_session_goes_when_there_are_too_many_s45() {
    let app = TestApp::new().await;
    app.user("john", "my_password").await;
    app.user("jane", "my_password").await;
    let jane = app.sign_in("jane", "my_password").await;
    let oldest = app.sign_in("john", "my_password").await;
    app.advance(1);
    let second = app.sign_in("john", "my_password").await;
    app.advance(1);
    for _ in 2..100 {
        app.sign_in("john", "my_password").await;
    }
    assert_eq!(listed(&app, &oldest).await.len(), 100);
    app.advance(1);
    let newest = app.sign_in("john", "my_password").await;
    assert!(is_over(&app, &oldest).await && !is_over(&app, &second).await && !is_over(&app, &jane).await);
    assert_eq!(listed(&app, &newest).await.len(), 100);
}

#[apply(trial)]
async fn ended_sessions_do_not_count() {
    let few = TestApp::builder().setting("sessions.max_per_user", 2);
    let app = few.setting("sessions.idle_lifetime", "60s").start().await;
    app.user("john", "my_password").await;
    let renewed = app.sign_in("john", "my_password").await;
    app.sign_in("john", "my_password").await;
    app.advance(59);
    let renewed = Tokens::of(&app.refresh(&renewed.refresh).await);
    app.advance(59);
    let late = app.sign_in("john", "my_password").await;
    assert!(!is_over(&app, &late).await && app.knows(&renewed.access).await);
}

#[apply(trial)]
async fn parallel_logins_keep_to_the_bound() {
    let few = TestApp::builder().setting("sessions.max_per_user", 3);
    let app = few.setting("passwords.queue_length", 100).start().await;
    let other = app.another().await;
    app.user("john", "my_password").await;
    let logins = (0..24).map(|number| [&app, &other][number % 2].sign_in("john", "my_password"));
    let all = futures_util::future::join_all(logins).await;
    assert_eq!(app.count("session").await, 3);
    let ids: BTreeSet<_> = all.iter().map(sid).collect();
    assert_eq!(ids.len(), 24);
}

#[apply(trial)]
async fn disabling_ends_and_enabling_does_not_revive_s43() {
    let app = TestApp::new().await;
    let other = app.another().await;
    let john = app.user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    disable_user(&app.app, john.id).await.unwrap();
    assert!(is_over(&other, &tokens).await);
    enable_user(&app.app, john.id).await.unwrap();
    assert!(is_over(&other, &tokens).await);
    assert!(!is_over(&other, &app.sign_in("john", "my_password").await).await);
}

#[apply(trial)]
async fn deleting_leaves_no_rows_s43() {
    let app = TestApp::new().await;
    let john = app.user("john", "my_password").await;
    let tokens = [app.sign_in("john", "my_password").await, app.sign_in("john", "my_password").await];
    delete_user(&app.app, john.id).await.unwrap();
    assert!(is_over(&app, &tokens[0]).await && is_over(&app, &tokens[1]).await);
    assert_eq!((app.count("user").await, app.count("session").await), (0, 0));
}

#[apply(trial)]
async fn clean_up_removes_what_is_over_in_batches() {
    let app = TestApp::builder().setting("sessions.idle_lifetime", "60s").start().await;
    app.user("john", "my_password").await;
    app.sign_in("john", "my_password").await;
    for _ in 0..3 {
        more_sessions(&app, 400).await;
    }
    app.advance(60);
    let live = app.sign_in("john", "my_password").await;
    assert_eq!(run_cleanup(&app.app).await.unwrap().sessions, 1201);
    assert_eq!(app.count("session").await, 1);
    assert!(!is_over(&app, &live).await);
    app.advance(60);
    assert_eq!(run_cleanup(&app.app).await.unwrap().sessions, 0, "the job is not due");
    app.advance(240);
    assert_eq!(run_cleanup(&app.app).await.unwrap().sessions, 1);
}

#[apply(trial)]
async fn clean_up_is_done_by_one_instance() {
    let app = TestApp::builder().setting("sessions.idle_lifetime", "60s").start().await;
    let other = app.another().await;
    app.user("john", "my_password").await;
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
async fn more_sessions(app: &TestApp, number: usize) {
    let one = entity::session::Entity::find().one(&app.app.db).await.unwrap().unwrap();
    let copy = |_| entity::session::Model { id: vestibule::ids::SessionId::random(), ..one.clone() };
    let more = (0..number).map(copy).map(entity::session::ActiveModel::from);
    entity::session::Entity::insert_many(more).exec_without_returning(&app.app.db).await.unwrap();
}

#[apply(trial)]
async fn wrong_clock_does_not_stop_the_clean_up() {
    let app = TestApp::builder().setting("sessions.idle_lifetime", "60s").start().await;
    app.user("john", "my_password").await;
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
async fn list_is_bounded() {
    let app = TestApp::new().await;
    app.user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    more_sessions(&app, 300).await;
    assert_eq!(listed(&app, &tokens).await.len(), 100);
}
