//! Tests of the harness: a response that the document does not declare must fail the test that receives it.

use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use vestibule::startup;

use crate::support::{
    TestApp, app::write_master_key, canary, client::TestResponse, contract, coverage::differences, database, document,
};

/// Returns a real response of `GET /me`. The tests derive faulty responses from it.
async fn real_response(app: &TestApp) -> TestResponse {
    app.create_user("john", "my_password").await;
    let token = app.access_token("john", "my_password").await;
    app.get("/me").bearer(&token).send().await
}

fn passes(app: &TestApp, method: &str, path: &str, response: &TestResponse) -> bool {
    let call = app.call(method, path).json(&json!({ "username": "john", "password": "my_password" }));
    contract::check_response(&call, response).is_ok()
}

fn with_body(response: &TestResponse, body: Value) -> TestResponse {
    TestResponse { status: response.status, headers: response.headers.clone(), text: body.to_string(), body }
}

#[apply(trial)]
async fn undeclared_responses_are_detected() {
    let app = TestApp::new().await;
    let response = real_response(&app).await;
    assert!(passes(&app, "GET", "/me", &response), "the real response");
    let mut extra = response.body.clone();
    extra["role"] = "admin".into();
    let mut null = response.body.clone();
    null["username"] = Value::Null;
    let mut less = response.body.clone();
    less.as_object_mut().unwrap().remove("id");
    let mut local = response.body.clone();
    local["created_at"] = "2030-03-17 17:46:40".into();
    for body in [extra, null, less, local, json!([]), Value::Null] {
        assert!(!passes(&app, "GET", "/me", &with_body(&response, body.clone())), "{body}");
    }
    let status = TestResponse { status: 202, ..with_body(&response, response.body.clone()) };
    assert!(!passes(&app, "GET", "/me", &status), "an undeclared status");
    for (name, value) in [
        ("x-secret", "1"),
        ("content-type", "text/html"),
        ("server", "vestibule"),
        ("cache-control", "public, max-age=60"),
        ("content-security-policy", "default-src 'none'"),
        ("x-content-type-options", "none"),
    ] {
        let mut changed = with_body(&response, response.body.clone());
        changed.headers.insert(name, value.parse().unwrap());
        assert!(!passes(&app, "GET", "/me", &changed), "{name}");
    }
    for name in
        ["x-request-id", "cache-control", "content-security-policy", "referrer-policy", "x-content-type-options"]
    {
        let mut changed = with_body(&response, response.body.clone());
        changed.headers.remove(name);
        assert!(!passes(&app, "GET", "/me", &changed), "without {name}");
    }
    assert!(!passes(&app, "GET", "/nothing", &response), "an undocumented path");
}

#[apply(trial)]
async fn rejection_of_a_valid_request_is_detected() {
    let app = TestApp::new().await;
    let rejected = app.post("/login").json(&json!({})).send().await;
    assert!(!passes(&app, "POST", "/login", &rejected), "400 for a valid body");
    let mut other = rejected.body.clone();
    other["code"] = "made_up".into();
    other["type"] = "urn:vestibule:problem:made_up".into();
    let call = app.post("/login").json(&json!({}));
    assert!(contract::check_response(&call, &with_body(&rejected, other)).is_err());
}

#[apply(trial)]
async fn declared_responses_are_listed_for_the_coverage_check() {
    let declared = contract::declared_responses();
    assert!(declared.len() > 40, "{}", declared.len());
    let response = declared.iter().find(|seen| seen.operation == "getMe" && seen.status == "200");
    assert!(response.is_some_and(|seen| seen.media_type == "application/json" && seen.code.is_empty()));
}

#[apply(trial)]
async fn responses_that_are_only_declared_or_only_received_are_reported() {
    let declared = contract::declared_responses();
    assert_eq!(differences(&declared, &declared), Vec::<String>::new());
    let mut others = declared.clone();
    let missing = others.pop_first().unwrap();
    assert_eq!(differences(&declared, &others), [format!("declared but never received: {missing:?}")]);
    assert_eq!(differences(&others, &declared), [format!("received but not declared: {missing:?}")]);
}

#[apply(trial)]
async fn request_schemas_that_allow_unknown_members_are_detected() {
    let document = &document().value;
    let mut open = document.clone();
    open["components"]["schemas"]["LoginRequest"].as_object_mut().unwrap().remove("additionalProperties");
    let body = json!({ "username": "john", "password": "my_password", "role": "admin" });
    let schema = json!({ "$ref": "#/components/schemas/LoginRequest" });
    assert!(contract::compile_schema(&schema, &open).is_valid(&body), "the injected fault");
    assert!(!contract::compile_schema(&schema, document).is_valid(&body));
}

#[apply(trial)]
async fn secrets_are_detected_wherever_they_occur() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    let row = vestibule::entity::user::Entity::find().one(&app.app.db).await.unwrap().unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    write_master_key(&folder);
    let key = std::fs::read_to_string(folder.path().join("vestibule.key")).unwrap();
    let server = database::server_url().map(|url| url::Url::parse(&url).unwrap());
    let mut secrets = vec![&*tokens.access, &tokens.refresh, row.password_hash.expose(), "my_password", key.trim()];
    // An SQLite file has no password.
    secrets.extend(server.as_ref().and_then(url::Url::password));
    for secret in secrets {
        for line in [secret.to_owned(), format!("{{\"message\":\"{secret}\"}}"), format!("x={secret};")] {
            assert!(canary::contains_secret(&line), "{line}");
        }
    }
    let harmless = startup::new_master_key().unwrap().to_text();
    for line in ["", "another response", "vst_r_", "\"kid\":\"834baf7a-9154-43d6-839e-fa2d6a4c54a1\"", &**harmless] {
        assert!(!canary::contains_secret(line), "{line}");
    }
}
