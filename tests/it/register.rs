//! `POST /register`

use serde_json::json;

use crate::support::TestApp;

#[apply(trial)]
async fn registered_user_can_log_in() {
    let app = TestApp::new().await;
    let body = json!({ "username": "john", "password": "my_password" });
    let response = app.post("/register").json(&body).record().send().await;
    assert_eq!((response.status, response.header("location")), (201, "/me"), "{response:?}");
    assert_eq!(
        (&response.body["username"], &response.body["created_at"]),
        (&json!("john"), &json!("2030-03-17T17:46:40Z"))
    );
    let token = app.access_token("john", "my_password").await;
    assert_eq!(app.get("/me").bearer(&token).send().await.body, response.body);
}

#[apply(trial)]
async fn taken_name_is_409_in_every_spelling() {
    let app = TestApp::new().await;
    let register = |name: &str| app.post("/register").json(&json!({ "username": name, "password": "my_password" }));
    assert_eq!(register("Straße").send().await.status, 201);
    register("john").send().await;
    register("john").record().send().await.is_problem(409, "username_taken");
    for name in ["straße", "STRAßE", "JOHN"] {
        register(name).send().await.is_problem(409, "username_taken");
    }
    assert_eq!(register("strasse").send().await.status, 201);
    assert_eq!(app.count("user").await, 3);
}

#[apply(trial)]
async fn reserved_names_cannot_be_registered() {
    let app = TestApp::builder().setting("registration.reserved_names", "Boss").start().await;
    for name in ["admin", "ROOT", "Vestibule", "boss"] {
        let response = app.post("/register").json(&json!({ "username": name, "password": "my_password" })).send().await;
        response.is_problem(409, "username_taken");
    }
    app.create_user("boss", "my_password").await;
}

#[apply(trial)]
async fn closed_registration_is_403() {
    let app = TestApp::builder().setting("registration.open", "false").start().await;
    let body = json!({ "username": "john", "password": "my_password" });
    app.post("/register").json(&body).record().send().await.is_problem(403, "registration_closed");
    assert_eq!(app.count("user").await, 0);
}

#[apply(trial)]
async fn passwords_that_violate_the_policy_are_422() {
    let app = TestApp::new().await;
    let rejected = [
        ("john", "password1", "common"),
        ("john", "PassWord1", "common"),
        ("john", "12345678", "common"),
        ("long.name", "long.name", "same_as_username"),
        ("long.name", "Long.NAME", "same_as_username"),
        ("john", "cafe\u{301}caf", "too_short"),
    ];
    for (name, password, code) in rejected {
        let response = app.post("/register").json(&json!({ "username": name, "password": password })).send().await;
        response.is_problem(422, "password_rejected");
        assert_eq!(response.errors(), [("/password".to_owned(), code.to_owned())], "{password}");
    }
    let body = json!({ "username": "john", "password": "password1" });
    app.post("/register").json(&body).record().send().await.is_problem(422, "password_rejected");
    assert_eq!(app.count("user").await, 0);
}

#[apply(trial)]
async fn password_length_is_counted_in_code_points() {
    let app = TestApp::new().await;
    let lengths = [(7, 400), (8, 201), (64, 201), (256, 201), (257, 400)];
    for (number, (length, status)) in lengths.into_iter().enumerate() {
        let body = json!({ "username": format!("user{number}"), "password": "\u{1f511}".repeat(length) });
        let response = app.post("/register").json(&body).send().await;
        assert_eq!(response.status, status, "{length}: {response:?}");
    }
    let strict = TestApp::builder().setting("passwords.min_length", "15").start().await;
    let body = json!({ "username": "john", "password": "fourteen chars" });
    strict.post("/register").json(&body).send().await.is_problem(422, "password_rejected");
    let body = json!({ "username": "john", "password": "fifteen letters" });
    assert_eq!(strict.post("/register").json(&body).send().await.status, 201);
}

#[apply(trial)]
async fn passwords_need_no_composition_rules_and_never_expire_s10() {
    let app = TestApp::new().await;
    let passwords = [
        "lowercaseletter",
        "UPPERCASELETTER",
        "83920174650192",
        "\u{1f980}\u{1f511}\u{1f41f}\u{1f335}\u{1f980}\u{1f511}\u{1f41f}\u{1f335}",
        "        ",
    ];
    for (number, password) in passwords.into_iter().enumerate() {
        let body = json!({ "username": format!("user{number}"), "password": password });
        assert_eq!(app.post("/register").json(&body).send().await.status, 201, "{password}");
    }
    app.advance(10 * 365 * 24 * 60 * 60);
    for (number, password) in passwords.into_iter().enumerate() {
        app.access_token(&format!("user{number}"), password).await;
    }
}

#[apply(trial)]
async fn names_in_many_scripts_are_accepted() {
    let app = TestApp::new().await;
    for name in [
        "a",
        "7",
        "jean-luc",
        "anna_b.c",
        "Ångström",
        "Ελένη",
        "Борис",
        "さくら",
        "サクラ",
        "王小明",
        "김철수",
        &"x".repeat(80),
    ] {
        let body = json!({ "username": name, "password": "my_password" });
        let response = app.post("/register").json(&body).send().await;
        assert_eq!((response.status, &response.body["username"]), (201, &json!(name)), "{response:?}");
    }
}

#[apply(trial)]
async fn malformed_names_are_rejected_with_a_pointer() {
    let app = TestApp::new().await;
    let rejected = [
        ("", "too_short"),
        (&"x".repeat(81), "too_long"),
        ("two words", "wrong_form"),
        ("john@example.com", "wrong_form"),
        (".john", "wrong_form"),
        ("john.", "wrong_form"),
        ("jo..hn", "wrong_form"),
        ("john\n", "wrong_form"),
        ("john\u{0}", "wrong_form"),
        ("ᴮᴼᴮ", "wrong_form"),
    ];
    for (name, code) in rejected {
        let response = app.post("/register").json(&json!({ "username": name, "password": "my_password" })).send().await;
        response.is_problem(400, "invalid_request");
        assert!(response.errors().contains(&("/username".to_owned(), code.to_owned())), "{name:?}: {response:?}");
    }
    assert_eq!(app.count("user").await, 0);
}

#[apply(trial)]
async fn names_that_collations_confuse_are_different_users() {
    let app = TestApp::new().await;
    let names = [
        "jose", "josé", "jósé", "josë", "muller", "müller", "mueller", "strasse", "straße", "nino", "niño", "oeuvre",
        "œuvre", "bjorn", "bjørn", "björn", "аnna", "anna", "か", "が", "カ", "ガ", "は", "ば", "ぱ", "ハ", "а", "a",
        "е", "ё", "и", "й", "ά", "α", "가", "가가", "1", "01", "a.b", "a-b", "a_b", "ab",
    ];
    for name in names {
        let response = app.post("/register").json(&json!({ "username": name, "password": "my_password" })).send().await;
        assert_eq!(response.status, 201, "{name}: {response:?}");
    }
    for name in names {
        let body = json!({ "username": name.to_uppercase(), "password": "my_password" });
        app.post("/register").json(&body).send().await.is_problem(409, "username_taken");
        let token = app.access_token(name, "my_password").await;
        assert_eq!(app.get("/me").bearer(&token).send().await.body["username"], name);
    }
}

#[apply(trial)]
async fn only_one_of_parallel_registrations_of_a_name_succeeds() {
    let app = TestApp::builder().setting("passwords.queue_length", "100").start().await;
    let calls = (0..32).map(|number| {
        let name = if number % 2 == 0 { "john" } else { "JOHN" };
        app.post("/register").json(&json!({ "username": name, "password": "my_password" })).send()
    });
    let responses = futures_util::future::join_all(calls).await;
    let of = |status| responses.iter().filter(|response| response.status == status).count();
    assert_eq!((of(201), of(409)), (1, 31), "{responses:?}");
}

#[apply(trial)]
async fn full_queue_is_503() {
    let app = TestApp::builder().slow_hashing().start().await;
    app.fill_queue().await;
    let body = json!({ "username": "john", "password": "my_password" });
    app.post("/register").json(&body).send().await.is_problem(503, "busy");
    assert_eq!(app.count("user").await, 0);
}

#[apply(trial)]
async fn closed_database_is_503() {
    let app = TestApp::new().await;
    app.app.db.close().await.unwrap();
    let body = json!({ "username": "john", "password": "my_password" });
    app.post("/register").json(&body).send().await.is_problem(503, "unavailable");
}
