//! `GET /me`

use serde_json::json;

use crate::support::TestApp;

#[apply(trial)]
async fn token_returns_its_own_user() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    app.create_user("jane", "my_password").await;
    let john = app.access_token("john", "my_password").await;
    let jane = app.access_token("jane", "my_password").await;
    let response = app.get("/me").bearer(&john).record().send().await;
    assert_eq!((response.status, &response.body["username"]), (200, &json!("john")));
    assert_eq!(app.get("/me").bearer(&jane).send().await.body["username"], "jane");
    assert_eq!(app.get("/me").header("authorization", format!("bearer {john}")).send().await.status, 200);
    assert_eq!(app.call("HEAD", "/me").bearer(&john).send().await.status, 200);
}

#[apply(trial)]
async fn missing_and_malformed_credentials_are_401() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let token = app.access_token("john", "my_password").await;
    let response = app.get("/me").send().await;
    response.is_problem(401, "missing_token");
    assert_eq!(response.header("www-authenticate"), "Bearer realm=\"vestibule\"");
    app.get("/me")
        .header("authorization", "Basic am9objpteV9wYXNzd29yZA==")
        .send()
        .await
        .is_problem(401, "missing_token");
    let response = app.get("/me").bearer("nonsense").send().await;
    response.is_problem(401, "invalid_token");
    assert_eq!(response.header("www-authenticate"), "Bearer realm=\"vestibule\", error=\"invalid_token\"");
    for value in ["Bearer", "Bearer ", "bearer\t", token.as_str(), "Bearer a b", "\u{ff}\u{fe} x", "Bearer \u{e9}"] {
        app.get("/me").header("authorization", value).send().await.is_problem(401, "invalid_token");
    }
    app.get("/me").bearer(&token).bearer(&token).send().await.is_problem(401, "invalid_token");
}

#[apply(trial)]
async fn token_in_the_url_is_ignored() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let token = app.access_token("john", "my_password").await;
    app.get(&format!("/me?access_token={token}")).send().await.is_problem(401, "missing_token");
}

#[apply(trial)]
async fn expired_token_is_rejected() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let token = app.access_token("john", "my_password").await;
    app.advance(600);
    assert_eq!(app.get("/me").bearer(&token).send().await.status, 200, "within the clock leeway");
    app.advance(5);
    app.get("/me").bearer(&token).send().await.is_problem(401, "invalid_token");
}

#[apply(trial)]
async fn token_of_an_ended_session_is_rejected() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let token = app.access_token("john", "my_password").await;
    app.sql("DELETE FROM session").await;
    app.get("/me").bearer(&token).send().await.is_problem(401, "invalid_token");
}

#[apply(trial)]
async fn session_ends_with_its_lifetimes() {
    for (lifetime, idle) in [("120s", "60s"), ("60s", "60s")] {
        let builder = TestApp::builder().setting("sessions.lifetime", lifetime);
        let app = builder.setting("sessions.idle_lifetime", idle).start().await;
        app.create_user("john", "my_password").await;
        let token = app.access_token("john", "my_password").await;
        app.advance(59);
        assert_eq!(app.get("/me").bearer(&token).send().await.status, 200);
        app.advance(1);
        app.get("/me").bearer(&token).send().await.is_problem(401, "invalid_token");
    }
}

#[apply(trial)]
async fn disabled_user_is_rejected_immediately() {
    let app = TestApp::new().await;
    let john = app.create_user("john", "my_password").await;
    let token = app.access_token("john", "my_password").await;
    app.sql("UPDATE \"user\" SET state = 'disabled'").await;
    app.get("/me").bearer(&token).send().await.is_problem(401, "invalid_token");
    vestibule::domain::admin::users::enable_user(&app.app, john.id).await.unwrap();
    assert_eq!(app.get("/me").bearer(&token).send().await.status, 200);
}

#[apply(trial)]
async fn token_is_checked_before_the_body() {
    let app = TestApp::new().await;
    app.get("/me").text("text/plain", "{").send().await.is_problem(401, "missing_token");
}

#[apply(trial)]
async fn closed_database_is_503() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let token = app.access_token("john", "my_password").await;
    app.app.db.close().await.unwrap();
    app.get("/me").bearer(&token).send().await.is_problem(503, "unavailable");
}
