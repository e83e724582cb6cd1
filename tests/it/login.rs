//! `POST /login`

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{TestApp, forge};

#[apply(trial)]
async fn right_password_answers_a_bearer_token() {
    let app = TestApp::new().await;
    app.user("john", "my_password").await;
    let body = json!({ "username": "john", "password": "my_password" });
    let answer = app.post("/login").json(&body).record().send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!((&answer.body["token_type"], &answer.body["expires_in"]), (&json!("Bearer"), &json!(600)));
    assert_eq!(answer.header("cache-control"), "no-store");
    let me = app.get("/me").bearer(answer.body["access_token"].as_str().unwrap()).send().await;
    assert_eq!(me.body["username"], "john");
}

#[apply(trial)]
async fn tutorials_request_works_as_it_stands() {
    let app = TestApp::new().await;
    app.user("john", "my_password").await;
    let body = "{\n    \"username\": \"john\",\n    \"password\": \"my_password\"\n}";
    let answer = app.post("/login").text("application/json", body).send().await;
    assert!(answer.body["access_token"].is_string(), "{answer:?}");
    let answer = app.post("/login").text("application/json", body.replace("my_", "your_")).send().await;
    assert_eq!((answer.status, &answer.body["message"]), (401, &json!("Invalid username or password")));
}

#[apply(trial)]
async fn every_spelling_of_the_name_signs_in() {
    let app = TestApp::new().await;
    app.user("Élodie", "my_password").await;
    for name in ["Élodie", "élodie", "ÉLODIE", "e\u{301}lodie", "É\u{ff4c}odie"] {
        app.token(name, "my_password").await;
    }
}

#[apply(trial)]
async fn unknown_name_wrong_password_and_disabled_account_are_one_answer() {
    let app = TestApp::new().await;
    app.user("john", "my_password").await;
    let closed = app.user("jane", "my_password").await;
    vestibule::domain::admin::users::disable_user(&app.app, closed.id).await.unwrap();
    let mut answers = Vec::new();
    for (name, password) in [("nobody", "my_password"), ("john", "wrong"), ("jane", "my_password"), ("jane", "wrong")] {
        let answer = app.post("/login").json(&json!({ "username": name, "password": password })).send().await;
        let id = answer.header("x-request-id").to_owned();
        let mut headers: Vec<_> = answer.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
        headers.retain(|line| !line.starts_with("date") && !line.starts_with("x-request-id"));
        answers.push((answer.status, headers, answer.text.replace(&id, "ID")));
    }
    assert_eq!(answers[0].0, 401);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    assert_eq!(app.count("session").await, 0);
    let body = json!({ "username": "john", "password": "wrong" });
    app.post("/login").json(&body).record().send().await.is_problem(401, "invalid_credentials");
}

#[apply(trial)]
async fn names_without_canonical_form_are_unknown_names() {
    let app = TestApp::new().await;
    app.user("john", "my_password").await;
    for name in [
        "john\u{0}",
        "john ",
        " john",
        "john smith",
        "\u{0}",
        "ᴶᴼᴴᴺ",
        "john\u{200b}",
        "john@example.com",
        &"x".repeat(320),
        "'; --",
    ] {
        let answer = app.post("/login").json(&json!({ "username": name, "password": "my_password" })).send().await;
        answer.is_problem(401, "invalid_credentials");
    }
}

#[apply(trial)]
async fn registration_rules_do_not_apply() {
    let app = TestApp::new().await;
    for (name, password) in [("!", "x"), ("-", "12345678"), ("a..b", &"p".repeat(256))] {
        let answer = app.post("/login").json(&json!({ "username": name, "password": password })).send().await;
        answer.is_problem(401, "invalid_credentials");
    }
}

#[apply(trial)]
async fn password_is_compared_whole_and_in_normal_form() {
    let app = TestApp::new().await;
    let long = "a".repeat(200);
    app.user("long", &format!("{long}b")).await;
    app.user("accent", "cafe\u{301} au lait").await;
    app.user("space", " eight chars ").await;
    for (name, password, status) in [
        ("long", format!("{long}b"), 200),
        ("long", format!("{long}c"), 401),
        ("long", long.clone(), 401),
        ("accent", "caf\u{e9} au lait".to_owned(), 200),
        ("accent", "Caf\u{e9} au lait".to_owned(), 401),
        ("space", " eight chars ".to_owned(), 200),
        ("space", "eight chars".to_owned(), 401),
    ] {
        let answer = app.post("/login").json(&json!({ "username": name, "password": password })).send().await;
        assert_eq!(answer.status, status, "{name} {password:?}: {answer:?}");
    }
}

#[apply(trial)]
async fn nul_is_part_of_a_password() {
    let app = TestApp::new().await;
    let body = json!({ "username": "nul", "password": "before\u{0}after" });
    assert_eq!(app.post("/register").json(&body).send().await.status, 201);
    app.token("nul", "before\u{0}after").await;
    for password in ["before", "before\u{0}", "before\u{0}other"] {
        let answer = app.post("/login").json(&json!({ "username": "nul", "password": password })).send().await;
        answer.is_problem(401, "invalid_credentials");
    }
}

#[apply(trial)]
async fn token_says_what_rfc_9068_asks_for() {
    let app = TestApp::builder().setting("tokens.audience", "https://shop.example").start().await;
    let user = app.user("john", "my_password").await;
    let token = app.token("john", "my_password").await;
    let keys = app.get("/.well-known/jwks.json").send().await;
    let expected = json!({ "typ": "at+jwt", "alg": "ES256", "kid": keys.body["keys"][0]["kid"] });
    assert_eq!(forge::part(&token, 0), expected);
    let claims = forge::part(&token, 1);
    let now = app.app.clock.now().seconds();
    for (name, value) in [
        ("iss", json!("http://localhost:5000")),
        ("aud", json!("https://shop.example")),
        ("client_id", json!("vestibule")),
        ("sub", json!(user.id.to_string())),
        ("iat", json!(now)),
        ("nbf", json!(now)),
        ("exp", json!(now + 600)),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    assert!(claims["jti"].is_string() && claims["sid"].is_string());
    assert_eq!(claims.as_object().unwrap().len(), 9, "{claims}");
}

#[apply(trial)]
async fn each_login_opens_a_session() {
    let app = TestApp::new().await;
    app.user("john", "my_password").await;
    let first = app.token("john", "my_password").await;
    let second = app.token("john", "my_password").await;
    assert_ne!(forge::part(&first, 1)["sid"], forge::part(&second, 1)["sid"]);
    assert_eq!(app.count("session").await, 2);
}

#[apply(trial)]
async fn damaged_hash_fails_one_account_only_s4() {
    let app = TestApp::new().await;
    app.user("john", "my_password").await;
    app.user("jane", "my_password").await;
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
        let answer = app.post("/login").json(&json!({ "username": "john", "password": "my_password" })).send().await;
        answer.is_problem(401, "invalid_credentials");
        assert!(begun.elapsed() < Duration::from_secs(1), "{phc} took {:?}", begun.elapsed());
        assert_eq!(app.app.hasher.computed(), computed + 1, "{phc} must cost one hash too");
    }
    app.token("jane", "my_password").await;
}

#[apply(trial)]
async fn passwords_that_are_too_long_are_never_hashed_s7() {
    let app = TestApp::new().await;
    app.user("john", "my_password").await;
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
    app.user("known", "my_password").await;
    app.fill_queue().await;
    for name in ["known", "unknown"] {
        let answer = app.post("/login").json(&json!({ "username": name, "password": "my_password" })).send().await;
        answer.is_problem(503, "busy");
        assert!(answer.header("retry-after").parse::<u32>().unwrap() >= 1);
    }
}

#[apply(trial)]
async fn lost_table_is_a_problem_without_details() {
    let app = TestApp::new().await;
    app.user("john", "my_password").await;
    app.sql("DROP TABLE session").await;
    let answer = app.post("/login").json(&json!({ "username": "john", "password": "my_password" })).send().await;
    answer.is_problem(500, "internal");
    assert!(!answer.text.contains("session") && !answer.text.to_lowercase().contains("sql"), "{answer:?}");
}

#[apply(trial)]
async fn closed_database_is_503() {
    let app = TestApp::new().await;
    app.app.db.close().await.unwrap();
    let answer = app.post("/login").json(&json!({ "username": "john", "password": "my_password" })).send().await;
    answer.is_problem(503, "unavailable");
    assert_eq!(answer.header("retry-after"), "1");
}
