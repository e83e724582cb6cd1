//! `POST /token/refresh` and `POST /token/revoke`: rotation, grace period, reuse detection and invalid tokens. The
//! suffix of a test name is the ID of the security check that it covers.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait as _, DatabaseBackend, EntityTrait as _};
use serde_json::json;
use vestibule::{
    entity::session,
    secret::{SecretDigest, SessionSecret},
};

use crate::support::{
    TestApp,
    app::Tokens,
    forge::{self, REFRESH_FIELDS, REFRESH_PREFIX, refresh_message, refresh_token_with_key, refresh_token_with_mac},
    rounds,
};

async fn app_with_session() -> (TestApp, Tokens) {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    (app, tokens)
}

async fn session_row(app: &TestApp) -> session::Model {
    session::Entity::find().one(&app.app.db).await.unwrap().unwrap()
}

#[apply(trial)]
async fn refresh_returns_new_tokens() {
    let (app, first) = app_with_session().await;
    app.advance(60);
    let body = json!({ "refresh_token": first.refresh });
    let response = app.post("/token/refresh").json(&body).record().send().await;
    let second = Tokens::of(&response);
    assert_eq!((&response.body["token_type"], &response.body["expires_in"]), (&json!("Bearer"), &json!(600)));
    assert_eq!(response.body["refresh_expires_in"], 14 * 24 * 60 * 60);
    assert!(second.refresh != first.refresh && second.access != first.access);
    assert!(app.accepts(&first.access).await && app.accepts(&second.access).await);
    let sid = |tokens: &Tokens| forge::decode_part(&tokens.access, 1)["sid"].clone();
    assert_eq!(sid(&first), sid(&second));
    assert_eq!(app.count("session").await, 1);
    let response = app.post("/token/refresh").json(&json!({ "refresh_token": "nonsense" })).record().send().await;
    response.is_problem(401, "invalid_token");
    assert_eq!(response.header("www-authenticate"), "Bearer realm=\"vestibule\", error=\"invalid_token\"");
}

#[apply(trial)]
async fn refresh_tokens_are_unique_and_not_stored_s32() {
    let app = TestApp::builder().setting("sessions.max_per_user", "2").start().await;
    app.create_user("john", "my_password").await;
    let number = rounds(100, 10_000);
    let (mut seen, mut secret) = (BTreeSet::new(), Vec::new());
    for _ in 0..number {
        let tokens = app.sign_in("john", "my_password").await;
        secret = refresh_message(&tokens.refresh)[REFRESH_FIELDS[4].clone()].to_vec();
        assert!(seen.insert(secret.clone()), "two sessions share a secret");
    }
    let digest = SecretDigest::of(&SessionSecret::from_bytes(secret.clone().try_into().unwrap()));
    let rows = session::Entity::find().all(&app.app.db).await.unwrap();
    assert_eq!(rows.iter().filter(|row| row.secret_digest == digest).count(), 1, "only the digest must be stored");
    assert!(rows.iter().all(|row| format!("{row:?}").contains("SecretDigest([REDACTED])")));
    if let Some(file) = app.config.database.file() {
        for name in [file.clone(), file.with_extension("db-wal")] {
            let bytes = std::fs::read(name).unwrap();
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "the secret is stored");
            assert!(!bytes.windows(6).any(|window| window == b"vst_r_"), "a token is stored");
        }
    }
}

#[apply(trial)]
async fn login_ignores_session_ids_and_tokens_from_the_client_s33() {
    let (app, tokens) = app_with_session().await;
    let body = json!({ "username": "john", "password": "my_password" });
    let call = app.post("/login?sid=00000000-0000-4000-8000-000000000000").json(&body).bearer(&tokens.access);
    let response = call.header("cookie", format!("refresh_token={0}; session={0}", tokens.refresh)).send().await;
    let other = Tokens::of(&response);
    assert_ne!(forge::decode_part(&other.access, 1)["sid"], forge::decode_part(&tokens.access, 1)["sid"]);
    assert_eq!(app.count("session").await, 2);
    let mut more = body;
    more["refresh_token"] = tokens.refresh.into();
    app.post("/login").json(&more).send().await.is_problem(400, "invalid_request");
}

#[apply(trial)]
async fn reuse_ends_the_session_s34() {
    let (app, a) = app_with_session().await;
    let bystander = app.sign_in("john", "my_password").await;
    let b = Tokens::of(&app.refresh(&a.refresh).await);
    let c = Tokens::of(&app.refresh(&b.refresh).await);
    app.refresh(&a.refresh).await.is_problem(401, "invalid_token");
    app.refresh(&c.refresh).await.is_problem(401, "invalid_token");
    for access in [&a.access, &b.access, &c.access] {
        assert!(!app.accepts(access).await);
    }
    assert!(app.accepts(&bystander.access).await, "the other session must continue");
    Tokens::of(&app.refresh(&bystander.refresh).await);
    let events = app.misuse_events().await;
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].kind.as_str(), events[0].outcome.as_str()), ("refresh_token_reused", "failure"));
    assert_eq!((events[0].occurred_at, events[0].client_ip.as_deref()), (app.app.clock.now(), Some("127.0.0.1")));
    assert_eq!(events[0].session_id.unwrap().to_string(), forge::decode_part(&a.access, 1)["sid"]);
    assert_eq!(events[0].user_id.unwrap().to_string(), forge::decode_part(&a.access, 1)["sub"]);
}

#[apply(trial)]
async fn lost_response_can_be_retried_s35() {
    let (app, a) = app_with_session().await;
    let b = Tokens::of(&app.refresh(&a.refresh).await);
    app.advance(29);
    let response = app.refresh(&a.refresh).await;
    let again = Tokens::of(&response);
    assert_eq!(again.refresh, b.refresh, "must be the same successor");
    assert_eq!(response.body["refresh_expires_in"], 14 * 24 * 60 * 60 - 29, "must be the remaining lifetime");
    assert_eq!(session_row(&app).await.counter, 2);
    Tokens::of(&app.refresh(&b.refresh).await);
    assert!(app.misuse_events().await.is_empty());
}

#[apply(trial)]
async fn grace_period_ends_s35() {
    let (app, a) = app_with_session().await;
    let b = Tokens::of(&app.refresh(&a.refresh).await);
    app.advance(30);
    app.refresh(&a.refresh).await.is_problem(401, "invalid_token");
    app.refresh(&b.refresh).await.is_problem(401, "invalid_token");
    assert_eq!(app.misuse_events().await.len(), 1);
}

#[apply(trial)]
async fn grace_period_can_be_disabled() {
    let app = TestApp::builder().setting("sessions.refresh_grace_period", "0s").start().await;
    app.create_user("john", "my_password").await;
    let a = app.sign_in("john", "my_password").await;
    let b = Tokens::of(&app.refresh(&a.refresh).await);
    Tokens::of(&app.refresh(&b.refresh).await);
    let a = app.sign_in("john", "my_password").await;
    Tokens::of(&app.refresh(&a.refresh).await);
    app.refresh(&a.refresh).await.is_problem(401, "invalid_token");

    // Simulate a rotation by another instance whose clock is ahead.
    let a = app.sign_in("john", "my_password").await;
    Tokens::of(&app.refresh(&a.refresh).await);
    app.sql("UPDATE session SET rotated_at = rotated_at + 60000000").await;
    app.refresh(&a.refresh).await.is_problem(401, "invalid_token");
}

/// Sends one token many times at once, to these instances in turn, and asserts that every caller gets the same
/// successor.
async fn assert_one_successor(apps: &[&TestApp]) {
    let first = apps[0].sign_in("john", "my_password").await;
    let calls = (0..50).map(|number| apps[number % apps.len()].refresh(&first.refresh));
    let responses = futures_util::future::join_all(calls).await;
    let successors: BTreeSet<_> = responses.iter().map(|response| Tokens::of(response).refresh).collect();
    assert_eq!(successors.len(), 1);
    let next = Tokens::of(&apps[0].refresh(successors.first().unwrap()).await);
    assert!(apps[0].accepts(&next.access).await, "no one must be signed out");
}

#[apply(trial)]
async fn parallel_refreshes_have_one_successor_s36() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    assert_one_successor(&[&app]).await;
    assert_eq!(session_row(&app).await.counter, 3);
}

#[apply(trial)]
async fn parallel_refreshes_of_two_instances_have_one_successor_s36() {
    let app = TestApp::new().await;
    let other = app.start_instance().await;
    app.create_user("john", "my_password").await;
    assert_one_successor(&[&app, &other]).await;
    assert!(app.misuse_events().await.is_empty());
}

/// Records every update of a session in a table named `note`.
async fn record_updates(app: &TestApp) {
    app.sql("CREATE TABLE note (n INT)").await;
    let statements: &[&str] = match app.app.db.get_database_backend() {
        DatabaseBackend::Postgres => &[
            "CREATE FUNCTION note() RETURNS trigger AS $$ BEGIN INSERT INTO note VALUES (1); RETURN NEW; END $$ \
             LANGUAGE plpgsql",
            "CREATE TRIGGER noting AFTER UPDATE ON session FOR EACH ROW EXECUTE FUNCTION note()",
        ],
        DatabaseBackend::Sqlite => {
            &["CREATE TRIGGER noting AFTER UPDATE ON session BEGIN INSERT INTO note VALUES (1); END"]
        }
        _ => &["CREATE TRIGGER noting AFTER UPDATE ON session FOR EACH ROW INSERT INTO note VALUES (1)"],
    };
    for statement in statements {
        app.sql(statement).await;
    }
}

#[apply(trial)]
async fn rotation_is_one_conditional_update_s37() {
    let app = TestApp::new().await;
    let other = app.start_instance().await;
    app.create_user("john", "my_password").await;
    record_updates(&app).await;
    for round in 1..=rounds(3, 1000) {
        assert_one_successor(&[&app, &other]).await;
        assert_eq!(
            app.count("note").await,
            2 * i64::try_from(round).unwrap(),
            "one update for the 50 callers and one for the next refresh"
        );
    }
}

#[apply(trial)]
async fn reuse_is_detected_after_a_restart_s38() {
    let (app, a) = app_with_session().await;
    let b = Tokens::of(&app.refresh(&a.refresh).await);
    let c = Tokens::of(&app.refresh(&b.refresh).await);
    app.stop();
    let next = app.start_instance().await;
    next.refresh(&a.refresh).await.is_problem(401, "invalid_token");
    next.refresh(&c.refresh).await.is_problem(401, "invalid_token");
    assert_eq!(next.misuse_events().await.len(), 1);
}

#[apply(trial)]
async fn session_ends_with_its_lifetimes_s39() {
    const DAY: u64 = 24 * 60 * 60;
    let (app, tokens) = app_with_session().await;
    app.advance(14 * DAY - 1);
    let mut last = Tokens::of(&app.refresh(&tokens.refresh).await);
    app.advance(14 * DAY);
    app.refresh(&last.refresh).await.is_problem(401, "invalid_token");
    assert!(app.misuse_events().await.is_empty(), "an expired session must not record an event");

    last = app.sign_in("john", "my_password").await;
    for day in 1..30 {
        app.advance(DAY);
        let response = app.refresh(&last.refresh).await;
        last = Tokens::of(&response);
        let left = 14.min(30 - day) * DAY;
        assert_eq!(response.body["refresh_expires_in"], left, "day {day}");
    }
    app.advance(DAY - 1);
    let response = app.refresh(&last.refresh).await;
    assert_eq!((&response.body["expires_in"], &response.body["refresh_expires_in"]), (&json!(1), &json!(1)));
    last = Tokens::of(&response);
    app.advance(1);
    app.refresh(&last.refresh).await.is_problem(401, "invalid_token");
    assert!(!app.accepts(&last.access).await);
}

#[apply(trial)]
async fn access_token_never_outlives_its_session() {
    let app = TestApp::builder().setting("sessions.lifetime", "120s").start().await;
    app.create_user("john", "my_password").await;
    let body = json!({ "username": "john", "password": "my_password" });
    let response = app.post("/login").json(&body).send().await;
    assert_eq!((&response.body["expires_in"], &response.body["refresh_expires_in"]), (&json!(120), &json!(120)));
    let claims = forge::decode_part(&Tokens::of(&response).access, 1);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 120);
}

#[apply(trial)]
async fn refresh_updates_the_session() {
    let (app, tokens) = app_with_session().await;
    let before = session_row(&app).await;
    app.advance(60);
    let body = json!({ "refresh_token": tokens.refresh });
    let call = || app.post("/token/refresh").json(&body).header("user-agent", "phone ".repeat(100));
    Tokens::of(&call().send().await);
    let after = session_row(&app).await;
    assert_eq!((after.created_at, after.expires_at), (before.created_at, before.expires_at));
    assert_eq!((after.last_used_at, after.rotated_at), (app.app.clock.now(), app.app.clock.now()));
    assert_eq!(after.user_agent.as_deref().map(str::len), Some(256));
    app.advance(10);
    Tokens::of(&call().send().await);
    assert_eq!(session_row(&app).await, after, "a repeated refresh must not write");
}

#[apply(trial)]
async fn token_ahead_of_its_session_ends_the_session() {
    let (app, a) = app_with_session().await;
    let b = Tokens::of(&app.refresh(&a.refresh).await);
    let c = Tokens::of(&app.refresh(&b.refresh).await);
    app.sql("UPDATE session SET counter = 1").await;
    app.refresh(&c.refresh).await.is_problem(401, "invalid_token");
    assert_eq!(app.count("session").await, 0);
    let events = app.misuse_events().await;
    assert_eq!((events.len(), events[0].kind.as_str()), (1, "refresh_token_out_of_sequence"));
}

#[apply(trial)]
async fn stolen_database_and_key_cannot_forge_tokens_s32() {
    let (app, tokens) = app_with_session().await;
    let real = refresh_message(&tokens.refresh);
    assert_eq!(refresh_token_with_mac(&app, &real).await, tokens.refresh, "the test must have the service's key");
    let row = session_row(&app).await;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &real[REFRESH_FIELDS[4].clone()]);
    for secret in [[0; 16].as_slice(), &digest.as_ref()[..16], row.id.as_bytes(), &[0xff; 16]] {
        for counter in [0, 1, 2, i64::MAX, i64::MIN, -1] {
            let mut forged = real.clone();
            forged[REFRESH_FIELDS[3].clone()].copy_from_slice(&counter.to_be_bytes());
            forged[REFRESH_FIELDS[4].clone()].copy_from_slice(secret);
            let forged = refresh_token_with_mac(&app, &forged).await;
            app.refresh(&forged).await.is_problem(401, "invalid_token");
            let revoked = app.post("/token/revoke").json(&json!({ "refresh_token": forged })).send().await;
            assert_eq!(revoked.status, 204);
        }
    }
    assert!(app.misuse_events().await.is_empty());
    Tokens::of(&app.refresh(&tokens.refresh).await);
}

#[apply(trial)]
async fn refresh_token_has_only_one_encoding() {
    let (app, tokens) = app_with_session().await;
    let token = tokens.refresh;
    let (rest, last) = token.split_at(token.len() - 1);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    // The last character of 119 has two unused bits.
    let twin = alphabet.as_bytes()[alphabet.find(last).unwrap() ^ 1] as char;
    for other in [
        format!("{token}="),
        format!("{token} "),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{rest}{twin}"),
        token.replacen("vst_r_", "VST_R_", 1),
        token.replacen("vst_r_", "", 1),
        format!("{token}A"),
        rest.to_owned(),
    ] {
        app.refresh(&other).await.is_problem(401, "invalid_token");
    }
    Tokens::of(&app.refresh(&token).await);
}

#[apply(trial)]
async fn invalid_tokens_end_no_session() {
    let (app, tokens) = app_with_session().await;
    let foreign = TestApp::new().await;
    foreign.create_user("john", "my_password").await;
    let foreign = foreign.sign_in("john", "my_password").await.refresh;
    let real = refresh_message(&tokens.refresh);
    let mut odd = vec![
        foreign,
        refresh_token_with_key(&[0; 32], &real),
        refresh_token_with_key(b"", &real),
        refresh_token_with_mac(&app, &[]).await,
        refresh_token_with_mac(&app, &real[..40]).await,
        refresh_token_with_mac(&app, &[real.as_slice(), &[0]].concat()).await,
        REFRESH_PREFIX.to_owned(),
        "\u{0}".to_owned(),
        "ﬀ".repeat(100),
        "A".repeat(2048),
        "' OR 1=1 --".to_owned(),
    ];
    for field in [0, 1, 2] {
        let mut forged = real.clone();
        forged[REFRESH_FIELDS[field].start] ^= 1;
        odd.push(refresh_token_with_mac(&app, &forged).await);
    }
    for length in [6, 7, 50, 100, 124] {
        odd.push(tokens.refresh[..length].to_owned());
    }
    for place in (REFRESH_PREFIX.len()..tokens.refresh.len()).step_by(7) {
        let mut text = tokens.refresh.clone().into_bytes();
        text[place] = if text[place] == b'A' { b'B' } else { b'A' };
        odd.push(String::from_utf8(text).unwrap());
    }
    for token in odd {
        app.refresh(&token).await.is_problem(401, "invalid_token");
        let response = app.post("/token/revoke").json(&json!({ "refresh_token": token })).send().await;
        assert_eq!(response.status, 204, "{token}");
    }
    app.refresh("").await.is_problem(400, "invalid_request");
    app.refresh(&"A".repeat(2049)).await.is_problem(400, "invalid_request");
    app.refresh(&"A".repeat(1_000_000)).await.is_problem(413, "body_too_large");
    assert!(app.misuse_events().await.is_empty());
    Tokens::of(&app.refresh(&tokens.refresh).await);
}

#[apply(trial)]
async fn access_and_refresh_tokens_are_not_interchangeable_s46() {
    let (app, tokens) = app_with_session().await;
    app.refresh(&tokens.access).await.is_problem(401, "invalid_token");
    let revoked = app.post("/token/revoke").json(&json!({ "refresh_token": tokens.access })).send().await;
    assert_eq!(revoked.status, 204);
    app.get("/me").bearer(&tokens.refresh).send().await.is_problem(401, "invalid_token");
    app.post("/logout").bearer(&tokens.refresh).send().await.is_problem(401, "invalid_token");
    assert!(app.accepts(&tokens.access).await);
}

#[apply(trial)]
async fn tokens_in_the_url_are_ignored_s46() {
    let (app, tokens) = app_with_session().await;
    let Tokens { access, refresh } = &tokens;
    app.post(&format!("/logout?access_token={access}")).send().await.is_problem(401, "missing_token");
    app.get(&format!("/me/sessions?access_token={access}")).send().await.is_problem(401, "missing_token");
    for path in ["/token/refresh", "/token/revoke"] {
        let path = format!("{path}?refresh_token={refresh}");
        app.post(&path).send().await.is_problem(415, "unsupported_media_type");
        app.post(&path).json(&json!({})).send().await.is_problem(400, "invalid_request");
    }
    assert!(app.accepts(access).await);
}

#[apply(trial)]
async fn revoking_a_token_ends_its_session() {
    let (app, first) = app_with_session().await;
    let bystander = app.sign_in("john", "my_password").await;
    app.advance(3600);
    assert!(!app.accepts(&first.access).await, "the access token must have expired");
    let body = json!({ "refresh_token": first.refresh });
    assert_eq!(app.post("/token/revoke").json(&body).record().send().await.status, 204);
    app.refresh(&first.refresh).await.is_problem(401, "invalid_token");
    assert_eq!(app.post("/token/revoke").json(&body).send().await.status, 204, "revoked again");
    let next = Tokens::of(&app.refresh(&bystander.refresh).await);
    assert!(app.accepts(&next.access).await);
    // An older token is accepted too, because its sender wants the session revoked.
    app.advance(31);
    let last = Tokens::of(&app.refresh(&next.refresh).await);
    assert_eq!(app.post("/token/revoke").json(&json!({ "refresh_token": bystander.refresh })).send().await.status, 204);
    assert!(!app.accepts(&last.access).await);
}

#[apply(trial)]
async fn revoking_an_invalid_token_succeeds() {
    let (app, tokens) = app_with_session().await;
    for token in ["x", "vst_r_", &"A".repeat(2048), &tokens.access] {
        let response = app.post("/token/revoke").json(&json!({ "refresh_token": token })).send().await;
        assert_eq!((response.status, response.text.as_str()), (204, ""));
    }
    assert!(app.accepts(&tokens.access).await);
}
