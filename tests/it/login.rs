//! `POST /login`

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{TestApp, forge};

#[apply(trial)]
async fn correct_password_returns_a_bearer_token() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let body = json!({ "username": "john", "password": "my_password" });
    let response = app.post("/login").json(&body).record().send().await;
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!((&response.body["token_type"], &response.body["expires_in"]), (&json!("Bearer"), &json!(600)));
    assert_eq!(response.header("cache-control"), "no-store");
    let me = app.get("/me").bearer(response.body["access_token"].as_str().unwrap()).send().await;
    assert_eq!(me.body["username"], "john");
}

#[apply(trial)]
async fn request_of_the_tutorial_works_unchanged() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let body = "{\n    \"username\": \"john\",\n    \"password\": \"my_password\"\n}";
    let response = app.post("/login").text("application/json", body).send().await;
    assert!(response.body["access_token"].is_string(), "{response:?}");
    let response = app.post("/login").text("application/json", body.replace("my_", "your_")).send().await;
    assert_eq!((response.status, &response.body["message"]), (401, &json!("Invalid username or password")));
}

#[apply(trial)]
async fn every_spelling_of_the_name_signs_in() {
    let app = TestApp::new().await;
    app.create_user("Élodie", "my_password").await;
    for name in ["Élodie", "élodie", "ÉLODIE", "e\u{301}lodie", "É\u{ff4c}odie"] {
        app.access_token(name, "my_password").await;
    }
}

#[apply(trial)]
async fn unknown_name_wrong_password_and_disabled_user_get_the_same_response() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let closed = app.create_user("jane", "my_password").await;
    vestibule::domain::admin::users::disable_user(&app.app, closed.id).await.unwrap();
    let mut responses = Vec::new();
    for (name, password) in [("nobody", "my_password"), ("john", "wrong"), ("jane", "my_password"), ("jane", "wrong")] {
        let response = app.post("/login").json(&json!({ "username": name, "password": password })).send().await;
        let id = response.header("x-request-id").to_owned();
        let mut headers: Vec<_> = response.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
        headers.retain(|line| !line.starts_with("date") && !line.starts_with("x-request-id"));
        responses.push((response.status, headers, response.text.replace(&id, "ID")));
    }
    assert_eq!(responses[0].0, 401);
    assert!(responses.iter().all(|response| *response == responses[0]), "{responses:#?}");
    assert_eq!(app.count("session").await, 0);
    let body = json!({ "username": "john", "password": "wrong" });
    app.post("/login").json(&body).record().send().await.is_problem(401, "invalid_credentials");
}

#[apply(trial)]
async fn names_without_a_canonical_form_are_unknown() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    for name in
        ["john\u{0}", "john smith", "\u{0}", "ᴶᴼᴴᴺ", "john\u{200b}", "john@example.com", &"x".repeat(320), "'; --"]
    {
        let response = app.post("/login").json(&json!({ "username": name, "password": "my_password" })).send().await;
        response.is_problem(401, "invalid_credentials");
    }
}

#[apply(trial)]
async fn spaces_around_the_name_do_not_matter_and_share_its_limits() {
    let app = TestApp::builder().setting("limits.free_failures", 3).start().await;
    app.create_user("john", "my_password").await;
    let login =
        |name: &str, password: &str| app.post("/login").json(&json!({ "username": name, "password": password }));
    for name in [" john", "john ", "\tjohn\n", "\u{3000}john\u{a0}"] {
        assert_eq!(login(name, "my_password").send().await.status, 200, "{name:?}");
    }
    login("john", " my_password").send().await.is_problem(401, "invalid_credentials");
    for name in [" john", "john "] {
        login(name, "wrong").send().await.is_problem(401, "invalid_credentials");
    }
    login("john", "wrong").send().await.is_problem(429, "too_many_requests");
}

#[apply(trial)]
async fn registration_rules_do_not_apply_to_logins() {
    let app = TestApp::new().await;
    for (name, password) in [("!", "x"), ("-", "12345678"), ("a..b", &"p".repeat(256))] {
        let response = app.post("/login").json(&json!({ "username": name, "password": password })).send().await;
        response.is_problem(401, "invalid_credentials");
    }
}

#[apply(trial)]
async fn password_is_compared_completely_and_in_normal_form() {
    let app = TestApp::new().await;
    let long = "a".repeat(200);
    app.create_user("long", &format!("{long}b")).await;
    app.create_user("accent", "cafe\u{301} au lait").await;
    app.create_user("space", " eight chars ").await;
    for (name, password, status) in [
        ("long", format!("{long}b"), 200),
        ("long", format!("{long}c"), 401),
        ("long", long.clone(), 401),
        ("accent", "caf\u{e9} au lait".to_owned(), 200),
        ("accent", "Caf\u{e9} au lait".to_owned(), 401),
        ("space", " eight chars ".to_owned(), 200),
        ("space", "eight chars".to_owned(), 401),
    ] {
        let response = app.post("/login").json(&json!({ "username": name, "password": password })).send().await;
        assert_eq!(response.status, status, "{name} {password:?}: {response:?}");
    }
}

#[apply(trial)]
async fn nul_is_part_of_a_password() {
    let app = TestApp::new().await;
    let body = json!({ "username": "nul", "password": "before\u{0}after" });
    assert_eq!(app.post("/register").json(&body).send().await.status, 201);
    app.access_token("nul", "before\u{0}after").await;
    for password in ["before", "before\u{0}", "before\u{0}other"] {
        let response = app.post("/login").json(&json!({ "username": "nul", "password": password })).send().await;
        response.is_problem(401, "invalid_credentials");
    }
}

#[apply(trial)]
async fn token_has_the_claims_of_rfc_9068() {
    let app = TestApp::builder().setting("tokens.audience", "https://shop.example").start().await;
    let user = app.create_user("john", "my_password").await;
    let token = app.access_token("john", "my_password").await;
    let keys = app.get("/.well-known/jwks.json").send().await;
    let expected = json!({ "typ": "at+jwt", "alg": "ES256", "kid": keys.body["keys"][0]["kid"] });
    assert_eq!(forge::decode_part(&token, 0), expected);
    let claims = forge::decode_part(&token, 1);
    let now = app.app.clock.now().seconds();
    for (name, value) in [
        ("iss", json!("http://localhost:5000")),
        ("aud", json!("https://shop.example")),
        ("client_id", json!("vestibule")),
        ("sub", json!(user.id.to_string())),
        ("iat", json!(now)),
        ("exp", json!(now + 600)),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    assert!(claims["jti"].is_string() && claims["sid"].is_string());
    assert_eq!(claims.as_object().unwrap().len(), 8, "{claims}");
}

#[apply(trial)]
async fn each_login_opens_a_session() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let first = app.access_token("john", "my_password").await;
    let second = app.access_token("john", "my_password").await;
    assert_ne!(forge::decode_part(&first, 1)["sid"], forge::decode_part(&second, 1)["sid"]);
    assert_eq!(app.count("session").await, 2);
}

#[apply(trial)]
async fn damaged_hash_affects_only_its_user_s4() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    app.create_user("jane", "my_password").await;
    for phc in [
        "",
        "my_password",
        "$argon2id$v=19$m=4294967295,t=2,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=64,t=4294967295,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=64,t=100000,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        app.sql(&format!("UPDATE \"user\" SET password_hash = '{phc}' WHERE username = 'john'")).await;
        let (begun, computed) = (Instant::now(), app.app.hasher.computed());
        let response = app.post("/login").json(&json!({ "username": "john", "password": "my_password" })).send().await;
        response.is_problem(401, "invalid_credentials");
        assert!(begun.elapsed() < Duration::from_secs(1), "{phc} took {:?}", begun.elapsed());
        assert_eq!(app.app.hasher.computed(), computed + 1, "{phc} must cost one hash too");
    }
    app.access_token("jane", "my_password").await;
}

#[apply(trial)]
async fn overlong_passwords_are_never_hashed_s7() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let before = app.app.hasher.computed();
    for (length, status) in [(257, 400), (1_000_000, 413)] {
        for name in ["john", "nobody"] {
            let body = json!({ "username": name, "password": "\u{1f511}".repeat(length) });
            assert_eq!(app.post("/login").json(&body).send().await.status, status, "{length}");
        }
    }
    assert_eq!(app.app.hasher.computed(), before);
    let longest = json!({ "username": "john", "password": "\u{1f511}".repeat(256) });
    app.post("/login").json(&longest).send().await.is_problem(401, "invalid_credentials");
    assert!(app.app.hasher.computed() > before, "a password within the limit is hashed");
}

#[apply(trial)]
async fn full_queue_is_503_for_known_and_unknown_names() {
    let app = TestApp::builder().slow_hashing().start().await;
    app.create_user("known", "my_password").await;
    app.fill_queue().await;
    for name in ["known", "unknown"] {
        let response = app.post("/login").json(&json!({ "username": name, "password": "my_password" })).send().await;
        response.is_problem(503, "busy");
        assert!(response.header("retry-after").parse::<u32>().unwrap() >= 1);
    }
}

#[apply(trial)]
async fn missing_table_causes_a_problem_without_details() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    app.sql("DROP TABLE session").await;
    let response = app.post("/login").json(&json!({ "username": "john", "password": "my_password" })).send().await;
    response.is_problem(500, "internal");
    assert!(!response.text.contains("session") && !response.text.to_lowercase().contains("sql"), "{response:?}");
}

#[apply(trial)]
async fn closed_database_is_503() {
    let app = TestApp::new().await;
    app.app.db.close().await.unwrap();
    let response = app.post("/login").json(&json!({ "username": "john", "password": "my_password" })).send().await;
    response.is_problem(503, "unavailable");
    assert_eq!(response.header("retry-after"), "1");
}
