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
async fn disabling_ends_sessions_and_enabling_does_not_restore_them() {
    let app = TestApp::new().await;
    let john = app.create_user("john", "my_password").await;
    let token = app.access_token("john", "my_password").await;
    assert!(disable_user(&app.app, john.id).await.unwrap().disabled);
    app.get("/me").bearer(&token).send().await.is_problem(401, "invalid_token");
    assert_eq!(app.count("session").await, 0);
    assert!(!enable_user(&app.app, john.id).await.unwrap().disabled);
    app.get("/me").bearer(&token).send().await.is_problem(401, "invalid_token");
    app.access_token("john", "my_password").await;
}

#[apply(trial)]
async fn setting_a_password_ends_sessions() {
    let app = TestApp::new().await;
    let john = app.create_user("john", "my_password").await;
    app.create_user("jane", "my_password").await;
    let old = app.access_token("john", "my_password").await;
    let other = app.access_token("jane", "my_password").await;
    set_password(&app.app, &john, &Password::from("another_password".to_owned())).await.unwrap();
    app.get("/me").bearer(&old).send().await.is_problem(401, "invalid_token");
    assert_eq!(app.get("/me").bearer(&other).send().await.status, 200);
    let response = app.post("/login").json(&json!({ "username": "john", "password": "my_password" })).send().await;
    response.is_problem(401, "invalid_credentials");
    app.access_token("john", "another_password").await;
}

#[apply(trial)]
async fn deleting_leaves_no_rows() {
    let app = TestApp::new().await;
    let john = app.create_user("john", "my_password").await;
    let token = app.access_token("john", "my_password").await;
    delete_user(&app.app, john.id).await.unwrap();
    assert_eq!((app.count("user").await, app.count("session").await), (0, 0));
    app.get("/me").bearer(&token).send().await.is_problem(401, "invalid_token");
}

#[apply(trial)]
async fn deleting_a_user_during_logins_leaves_no_rows() {
    let app = TestApp::builder().setting("passwords.queue_length", "100").start().await;
    let john = app.create_user("john", "my_password").await;
    let body = json!({ "username": "john", "password": "my_password" });
    let logins = futures_util::future::join_all((0..16).map(|_| app.post("/login").json(&body).send()));
    let (responses, deleted) = futures_util::future::join(logins, delete_user(&app.app, john.id)).await;
    deleted.unwrap();
    assert!(responses.iter().all(|response| matches!(response.status, 200 | 401)), "{responses:?}");
    assert_eq!((app.count("user").await, app.count("session").await), (0, 0));
}

#[apply(trial)]
async fn users_are_found_by_id_and_by_any_spelling() {
    let app = TestApp::new().await;
    let john = app.create_user("Jöhn", "my_password").await;
    for who in ["Jöhn", "JÖHN", "jo\u{308}hn", &john.id.to_string()] {
        assert_eq!(find_user(&app.app, who).await.unwrap(), john, "{who}");
    }
    let namesake = app.create_user(&UserId::random().to_string(), "my_password").await;
    assert_eq!(find_user(&app.app, &namesake.username).await.unwrap(), namesake);
    assert_eq!(list_users(&app.app.db).await.unwrap().len(), 2);
}

#[apply(trial)]
async fn unknown_users_are_not_found() {
    let app = TestApp::new().await;
    for who in ["nobody", "two words", "\u{0}", &UserId::random().to_string()] {
        assert!(matches!(find_user(&app.app, who).await, Err(ChangeUserError::NotFound)), "{who:?}");
    }
    let unknown = UserId::random();
    assert!(matches!(disable_user(&app.app, unknown).await, Err(ChangeUserError::NotFound)));
    assert!(matches!(delete_user(&app.app, unknown).await, Err(ChangeUserError::NotFound)));
}

#[apply(trial)]
async fn operators_may_use_reserved_names() {
    let closed = TestApp::builder().setting("registration.open", "false").start().await;
    closed.create_user("admin", "my_password").await;
    closed.access_token("admin", "my_password").await;
}

#[apply(trial)]
async fn operators_must_follow_the_password_policy() {
    let app = TestApp::new().await;
    let john = app.create_user("john", "my_password").await;
    let weak = Password::from("password1".to_owned());
    let made = create_user(&app.app, &Name::parse("jane").unwrap(), &weak, Actor::Operator).await;
    assert!(matches!(made, Err(CreateUserError::PasswordRejected(_))));
    assert!(matches!(set_password(&app.app, &john, &weak).await, Err(ChangeUserError::PasswordRejected(_))));
    app.access_token("john", "my_password").await;
}
