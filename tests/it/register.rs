//! `POST /register`

use serde_json::json;
use tempfile::TempDir;

use crate::support::{TestApp, process::vestibule};

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
        "ștefan",
        "phương",
        "yıldız",
        "Oʻzbek",
        "Ελένη",
        "Ἀλέξανδρος",
        "Борис",
        "ґалаґан",
        "Հայկ",
        "ნინო",
        "さくら",
        "サクラ",
        "佐々木",
        "〇〇七",
        "王小明",
        "김철수",
        "田中john",
        &"x".repeat(80),
    ] {
        let body = json!({ "username": name, "password": "my_password" });
        let response = app.post("/register").json(&body).send().await;
        assert_eq!((response.status, &response.body["username"]), (201, &json!(name)), "{response:?}");
    }
}

/// Texts that are no usernames, and what the message says about each.
const MALFORMED: [(&str, &str); 18] = [
    ("two words", "contains a space (U+0020), which is not allowed"),
    (" john", "begins or ends with a space"),
    ("john\n", "begins or ends with a space"),
    ("john\u{3000}", "begins or ends with a space"),
    ("john@example.com", "contains \"@\" (U+0040)"),
    ("o\"neil", "contains \"\"\" (U+0022)"),
    ("jo\u{200b}hn", "contains U+200B"),
    ("john\u{0}", "contains U+0000"),
    ("ᴮᴼᴮ", "contains \"ᴮ\" (U+1D2E)"),
    ("İzmir", "contains \"İ\" (U+0130)"),
    ("محمد", "contains \"م\" (U+0645)"),
    (".john", "contains \".\" in the wrong place"),
    ("john-", "contains \"-\" in the wrong place"),
    ("jo.-hn", "contains \"-\" in the wrong place"),
    ("jаne", "mixes Latin and Cyrillic letters"),
    ("αlpha", "mixes Greek and Latin letters"),
    ("\u{301}a", "contains the combining mark U+0301"),
    ("a\u{301}\u{302}\u{303}\u{304}", "contains the combining mark U+0304"),
];

#[apply(trial)]
async fn malformed_names_are_rejected_with_a_pointer_and_say_what_is_wrong() {
    let app = TestApp::new().await;
    let rejected = [("", "too_short"), (&"x".repeat(81), "too_long")];
    for (name, code) in rejected {
        let response = app.post("/register").json(&json!({ "username": name, "password": "my_password" })).send().await;
        response.is_problem(400, "invalid_request");
        assert_eq!(response.errors(), [("/username".to_owned(), code.to_owned())], "{name:?}");
    }
    for (name, explanation) in MALFORMED {
        let response = app.post("/register").json(&json!({ "username": name, "password": "my_password" })).send().await;
        response.is_problem(400, "invalid_request");
        assert_eq!(response.errors(), [("/username".to_owned(), "wrong_form".to_owned())], "{name:?}");
        let detail = response.body["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains(explanation), "{name:?}: {detail}");
    }
    assert_eq!(app.count("user").await, 0);
}

#[apply(trial)]
async fn command_line_says_what_is_wrong_with_a_name() {
    let folder = TempDir::new().unwrap();
    for (name, explanation) in MALFORMED.iter().filter(|(name, _)| !name.contains('\0')) {
        let output = vestibule(&folder).args(["user", "add", "--password-stdin", "--", name]).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(5), "{name:?}: {message}");
        assert!(message.contains("the username") && message.contains(explanation), "{name:?}: {message}");
    }
}

#[apply(trial)]
async fn decomposed_names_are_registered_in_their_composed_form() {
    let app = TestApp::new().await;
    for (sent, shown) in [
        ("Jose\u{301}", "José"),
        ("A\u{30a}ngstro\u{308}m", "Ångström"),
        ("\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}", "한글"),
        ("\u{304b}\u{3099}\u{30cf}\u{309a}", "がパ"),
        ("phu\u{31b}o\u{31b}ng", "phương"),
        ("α\u{314}\u{301}\u{345}", "ᾅ"),
        ("O\u{323}\u{301}labo\u{323}\u{300}", "Ọ́labọ̀"),
    ] {
        let body = json!({ "username": sent, "password": "my_password" });
        let response = app.post("/register").json(&body).send().await;
        assert_eq!((response.status, &response.body["username"]), (201, &json!(shown)), "{response:?}");
        for spelling in [sent, shown] {
            let token = app.access_token(spelling, "my_password").await;
            assert_eq!(app.get("/me").bearer(&token).send().await.body["username"], shown);
            let again = json!({ "username": spelling, "password": "my_password" });
            app.post("/register").json(&again).send().await.is_problem(409, "username_taken");
        }
    }
}

#[apply(trial)]
async fn letters_that_do_not_combine_are_409_because_the_pattern_admits_them() {
    let app = TestApp::new().await;
    for name in ["a\u{3099}", "a\u{1161}", "\u{1100}", "가\u{11c2}\u{11c2}", "山\u{309a}", "Α\u{313}\u{345}"] {
        let response = app.post("/register").json(&json!({ "username": name, "password": "my_password" })).send().await;
        response.is_problem(409, "username_taken");
        assert_eq!(response.errors(), [("/username".to_owned(), "wrong_form".to_owned())], "{name:?}");
    }
}

#[apply(trial)]
async fn names_that_collations_confuse_are_different_users() {
    let app = TestApp::new().await;
    let names = [
        "jose", "josé", "jósé", "josë", "muller", "müller", "mueller", "strasse", "straße", "nino", "niño", "oeuvre",
        "œuvre", "bjorn", "bjørn", "björn", "анна", "anna", "か", "が", "カ", "ガ", "は", "ば", "ぱ", "ハ", "а", "a",
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
