//! User administration, through the functions that the command line calls.

use serde_json::json;
use vestibule::{
    domain::{
        admin::users::{ChangeUserError, delete_user, disable_user, enable_user, find_user, set_password},
        audit::Actor,
        name::Name,
        user::{CreateUserError, create_user, list_users},
    },
    ids::UserId,
    secret::Password,
};

use crate::support::TestApp;

#[apply(trial)]
async fn disabling_ends_sessions_and_enabling_does_not_revive_them() {
    let app = TestApp::new().await;
    let john = app.user("john", "my_password").await;
    let token = app.token("john", "my_password").await;
    assert!(disable_user(&app.app, john.id).await.unwrap().disabled);
    app.get("/me").bearer(&token).send().await.is_problem(401, "invalid_token");
    assert_eq!(app.count("session").await, 0);
    assert!(!enable_user(&app.app, john.id).await.unwrap().disabled);
    app.get("/me").bearer(&token).send().await.is_problem(401, "invalid_token");
    app.token("john", "my_password").await;
}

#[apply(trial)]
async fn new_password_ends_sessions() {
    let app = TestApp::new().await;
    let john = app.user("john", "my_password").await;
    app.user("jane", "my_password").await;
    let old = app.token("john", "my_password").await;
    let other = app.token("jane", "my_password").await;
    set_password(&app.app, &john, &Password::from("another_password".to_owned())).await.unwrap();
    app.get("/me").bearer(&old).send().await.is_problem(401, "invalid_token");
    assert_eq!(app.get("/me").bearer(&other).send().await.status, 200);
    let answer = app.post("/login").json(&json!({ "username": "john", "password": "my_password" })).send().await;
    answer.is_problem(401, "invalid_credentials");
    app.token("john", "another_password").await;
}

#[apply(trial)]
async fn deleting_leaves_no_rows() {
    let app = TestApp::new().await;
    let john = app.user("john", "my_password").await;
    let token = app.token("john", "my_password").await;
    delete_user(&app.app, john.id).await.unwrap();
    assert_eq!((app.count("user").await, app.count("session").await), (0, 0));
    app.get("/me").bearer(&token).send().await.is_problem(401, "invalid_token");
}

#[apply(trial)]
async fn deleting_beside_logins_ends_well() {
    let app = TestApp::builder().setting("passwords.queue_length", "100").start().await;
    let john = app.user("john", "my_password").await;
    let body = json!({ "username": "john", "password": "my_password" });
    let logins = futures_util::future::join_all((0..16).map(|_| app.post("/login").json(&body).send()));
    let (answers, deleted) = futures_util::future::join(logins, delete_user(&app.app, john.id)).await;
    deleted.unwrap();
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 401)), "{answers:?}");
    assert_eq!((app.count("user").await, app.count("session").await), (0, 0));
}

#[apply(trial)]
async fn accounts_are_found_by_id_and_by_any_spelling() {
    let app = TestApp::new().await;
    let john = app.user("Jöhn", "my_password").await;
    for who in ["Jöhn", "JÖHN", "jo\u{308}hn", &john.id.to_string()] {
        assert_eq!(find_user(&app.app, who).await.unwrap(), john, "{who}");
    }
    let namesake = app.user(&UserId::random().to_string(), "my_password").await;
    assert_eq!(find_user(&app.app, &namesake.username).await.unwrap(), namesake);
    assert_eq!(list_users(&app.app.db).await.unwrap().len(), 2);
}

#[apply(trial)]
async fn unknown_accounts_are_not_found() {
    let app = TestApp::new().await;
    for who in ["nobody", "two words", "\u{0}", &UserId::random().to_string()] {
        assert!(matches!(find_user(&app.app, who).await, Err(ChangeUserError::NotFound)), "{who:?}");
    }
    let unknown = UserId::random();
    assert!(matches!(disable_user(&app.app, unknown).await, Err(ChangeUserError::NotFound)));
    assert!(matches!(delete_user(&app.app, unknown).await, Err(ChangeUserError::NotFound)));
}

#[apply(trial)]
async fn operators_may_give_reserved_names() {
    let closed = TestApp::builder().setting("registration.open", "false").start().await;
    closed.user("admin", "my_password").await;
    closed.token("admin", "my_password").await;
}

#[apply(trial)]
async fn operators_are_held_to_the_password_policy() {
    let app = TestApp::new().await;
    let john = app.user("john", "my_password").await;
    let weak = Password::from("password1".to_owned());
    let made = create_user(&app.app, &Name::parse("jane").unwrap(), &weak, Actor::Operator).await;
    assert!(matches!(made, Err(CreateUserError::PasswordRejected(_))));
    assert!(matches!(set_password(&app.app, &john, &weak).await, Err(ChangeUserError::PasswordRejected(_))));
    app.token("john", "my_password").await;
}
