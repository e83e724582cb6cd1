//! `POST /me/password`

use serde_json::json;

use crate::support::{TestApp, app::Tokens, client::Call};

fn change(app: &TestApp, tokens: &Tokens, current: &str, new: &str) -> Call {
    let body = json!({ "current_password": current, "new_password": new });
    app.post("/me/password").bearer(&tokens.access).json(&body)
}

async fn sign_in_status(app: &TestApp, password: &str) -> u16 {
    app.post("/login").json(&json!({ "username": "john", "password": password })).send().await.status
}

#[apply(trial)]
async fn new_password_replaces_the_old_one() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    let response = change(&app, &tokens, "my_password", "a better password").record().send().await;
    assert_eq!((response.status, response.text.as_str()), (204, ""));
    assert_eq!(sign_in_status(&app, "my_password").await, 401);
    assert_eq!(sign_in_status(&app, "a better password").await, 200);
    let again = change(&app, &tokens, "a better password", "e\u{301}tude in C").send().await;
    assert_eq!(again.status, 204);
    assert_eq!(sign_in_status(&app, "\u{e9}tude in C").await, 200);
}

#[apply(trial)]
async fn password_change_ends_other_sessions_s42() {
    let app = TestApp::new().await;
    let other = app.start_instance().await;
    app.create_user("john", "my_password").await;
    app.create_user("jane", "my_password").await;
    let mine = app.sign_in("john", "my_password").await;
    let elsewhere = app.sign_in("john", "my_password").await;
    let jane = app.sign_in("jane", "my_password").await;
    assert_eq!(change(&app, &mine, "my_password", "a better password").send().await.status, 204);
    assert!(!other.accepts(&elsewhere.access).await);
    other.refresh(&elsewhere.refresh).await.is_problem(401, "invalid_token");
    assert!(other.accepts(&mine.access).await && other.accepts(&jane.access).await);
    Tokens::of(&other.refresh(&mine.refresh).await);
}

#[apply(trial)]
async fn current_password_is_required_s13() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    let elsewhere = app.sign_in("john", "my_password").await;
    let response = change(&app, &tokens, "your_password", "a better password").record().send().await;
    response.is_problem(401, "invalid_credentials");
    assert_eq!(response.body["detail"], "The current password is incorrect.");
    for wrong in ["MY_PASSWORD", " my_password", "my_password\u{0}"] {
        change(&app, &tokens, wrong, "a better password").send().await.is_problem(401, "invalid_credentials");
    }
    assert_eq!(sign_in_status(&app, "my_password").await, 200);
    assert!(app.accepts(&elsewhere.access).await);
}

#[apply(trial)]
async fn new_password_must_meet_the_policy() {
    let app = TestApp::new().await;
    app.create_user("JohnJohn", "my_password").await;
    let tokens = app.sign_in("johnjohn", "my_password").await;
    for (weak, code) in
        [("Password1", "common"), ("johnJOHN", "same_as_username"), ("e\u{301}".repeat(4).as_str(), "too_short")]
    {
        let response = change(&app, &tokens, "my_password", weak).send().await;
        response.is_problem(422, "password_rejected");
        assert_eq!(response.errors(), [("/new_password".to_owned(), code.to_owned())]);
    }
    change(&app, &tokens, "my_password", "password1").record().send().await.is_problem(422, "password_rejected");
    change(&app, &tokens, "my_password", "seven77").send().await.is_problem(400, "invalid_request");
    app.access_token("johnjohn", "my_password").await;
}

#[apply(trial)]
async fn only_one_of_parallel_changes_succeeds() {
    let app = TestApp::builder().setting("passwords.queue_length", "100").start().await;
    let other = app.start_instance().await;
    app.create_user("john", "my_password").await;
    let mut sessions = Vec::new();
    for _ in 0..8 {
        sessions.push(app.sign_in("john", "my_password").await);
    }
    app.advance(1);
    let changes = sessions.iter().enumerate().map(|(number, tokens)| {
        change([&app, &other][number % 2], tokens, "my_password", &format!("password of {number}")).send()
    });
    let responses = futures_util::future::join_all(changes).await;
    let winners: Vec<_> = (0..8).filter(|number| responses[*number].status == 204).collect();
    assert_eq!(winners.len(), 1, "{responses:?}");
    assert!(responses.iter().all(|response| matches!(response.status, 204 | 401)), "{responses:?}");
    assert_eq!(sign_in_status(&app, &format!("password of {}", winners[0])).await, 200);
    assert!(app.accepts(&sessions[winners[0]].access).await);
}

#[apply(trial)]
async fn token_is_checked_before_the_password() {
    let app = TestApp::new().await;
    let before = app.app.hasher.computed();
    let body = json!({ "current_password": "my_password", "new_password": "a better password" });
    app.post("/me/password").json(&body).send().await.is_problem(401, "missing_token");
    assert_eq!(app.app.hasher.computed(), before, "nothing was hashed");
}
