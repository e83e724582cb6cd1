//! Tests of the harness: a response that the document does not declare must fail the test that receives it.

use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use vestibule::startup;

use crate::support::{TestApp, app::write_key, canary, client::Answer, contract, database, document};

/// Returns a real response of `GET /me`. The tests derive faulty responses from it.
async fn real(app: &TestApp) -> Answer {
    app.user("john", "my_password").await;
    let token = app.token("john", "my_password").await;
    app.get("/me").bearer(&token).send().await
}

fn passes(app: &TestApp, method: &str, path: &str, answer: &Answer) -> bool {
    let call = app.call(method, path).json(&json!({ "username": "john", "password": "my_password" }));
    contract::judge(&call, answer).is_ok()
}

fn with_body(answer: &Answer, body: Value) -> Answer {
    Answer { status: answer.status, headers: answer.headers.clone(), text: body.to_string(), body }
}

#[apply(trial)]
async fn undeclared_answers_are_caught() {
    let app = TestApp::new().await;
    let answer = real(&app).await;
    assert!(passes(&app, "GET", "/me", &answer), "the real response");
    let mut extra = answer.body.clone();
    extra["role"] = "admin".into();
    let mut null = answer.body.clone();
    null["username"] = Value::Null;
    let mut less = answer.body.clone();
    less.as_object_mut().unwrap().remove("id");
    let mut local = answer.body.clone();
    local["created_at"] = "2030-03-17 17:46:40".into();
    for body in [extra, null, less, local, json!([]), Value::Null] {
        assert!(!passes(&app, "GET", "/me", &with_body(&answer, body.clone())), "{body}");
    }
    let status = Answer { status: 202, ..with_body(&answer, answer.body.clone()) };
    assert!(!passes(&app, "GET", "/me", &status), "an undeclared status");
    for (name, value) in [
        ("x-secret", "1"),
        ("content-type", "text/html"),
        ("server", "vestibule"),
        ("cache-control", "public, max-age=60"),
        ("content-security-policy", "default-src 'none'"),
        ("x-content-type-options", "none"),
    ] {
        let mut changed = with_body(&answer, answer.body.clone());
        changed.headers.insert(name, value.parse().unwrap());
        assert!(!passes(&app, "GET", "/me", &changed), "{name}");
    }
    for name in
        ["x-request-id", "cache-control", "content-security-policy", "referrer-policy", "x-content-type-options"]
    {
        let mut changed = with_body(&answer, answer.body.clone());
        changed.headers.remove(name);
        assert!(!passes(&app, "GET", "/me", &changed), "without {name}");
    }
    assert!(!passes(&app, "GET", "/nothing", &answer), "an undocumented path");
}

#[apply(trial)]
async fn refusing_a_valid_request_is_caught() {
    let app = TestApp::new().await;
    let refused = app.post("/login").json(&json!({})).send().await;
    assert!(!passes(&app, "POST", "/login", &refused), "400 for a valid body");
    let mut other = refused.body.clone();
    other["code"] = "made_up".into();
    other["type"] = "urn:vestibule:problem:made_up".into();
    let call = app.post("/login").json(&json!({}));
    assert!(contract::judge(&call, &with_body(&refused, other)).is_err());
}

#[apply(trial)]
async fn declared_answers_that_nobody_saw_are_found() {
    let declared = contract::declared();
    assert!(declared.len() > 40, "{}", declared.len());
    let answer = declared.iter().find(|seen| seen.operation == "getMe" && seen.status == "200");
    assert!(answer.is_some_and(|seen| seen.media_type == "application/json" && seen.code.is_empty()));
}

#[apply(trial)]
async fn open_request_schemas_are_caught() {
    let document = &document().value;
    let mut open = document.clone();
    open["components"]["schemas"]["LoginRequest"].as_object_mut().unwrap().remove("additionalProperties");
    let body = json!({ "username": "john", "password": "my_password", "role": "admin" });
    let schema = json!({ "$ref": "#/components/schemas/LoginRequest" });
    assert!(contract::compile(&schema, &open).is_valid(&body), "the injected fault");
    assert!(!contract::compile(&schema, document).is_valid(&body));
}

#[apply(trial)]
async fn secrets_are_found_wherever_they_are_written() {
    let app = TestApp::new().await;
    app.user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    let row = vestibule::entity::user::Entity::find().one(&app.app.db).await.unwrap().unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    write_key(&folder);
    let key = std::fs::read_to_string(folder.path().join("vestibule.key")).unwrap();
    let server = database::server().map(|url| url::Url::parse(&url).unwrap());
    let mut secrets = vec![&*tokens.access, &tokens.refresh, row.password_hash.expose(), "my_password", key.trim()];
    // An SQLite file has no password.
    secrets.extend(server.as_ref().and_then(url::Url::password));
    for secret in secrets {
        for line in [secret.to_owned(), format!("{{\"message\":\"{secret}\"}}"), format!("x={secret};")] {
            assert!(canary::finds(&line), "{line}");
        }
    }
    let harmless = startup::new_master_key().unwrap().to_text();
    for line in ["", "another response", "vst_r_", "\"kid\":\"834baf7a-9154-43d6-839e-fa2d6a4c54a1\"", &**harmless] {
        assert!(!canary::finds(line), "{line}");
    }
}
