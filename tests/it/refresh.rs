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
    forge::{self, REFRESH_FIELDS, REFRESH_PREFIX, refresh_message, with_mac, with_mac_of},
    rounds,
};

async fn signed_in() -> (TestApp, Tokens) {
    let app = TestApp::new().await;
    app.user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    (app, tokens)
}

async fn session_row(app: &TestApp) -> session::Model {
    session::Entity::find().one(&app.app.db).await.unwrap().unwrap()
}

#[apply(trial)]
async fn refresh_answers_new_tokens() {
    let (app, first) = signed_in().await;
    app.advance(60);
    let body = json!({ "refresh_token": first.refresh });
    let answer = app.post("/token/refresh").json(&body).record().send().await;
    let second = Tokens::of(&answer);
    assert_eq!((&answer.body["token_type"], &answer.body["expires_in"]), (&json!("Bearer"), &json!(600)));
    assert_eq!(answer.body["refresh_expires_in"], 14 * 24 * 60 * 60);
    assert!(second.refresh != first.refresh && second.access != first.access);
    assert!(app.knows(&first.access).await && app.knows(&second.access).await);
    let sid = |tokens: &Tokens| forge::part(&tokens.access, 1)["sid"].clone();
    assert_eq!(sid(&first), sid(&second));
    assert_eq!(app.count("session").await, 1);
    let answer = app.post("/token/refresh").json(&json!({ "refresh_token": "nonsense" })).record().send().await;
    answer.is_problem(401, "invalid_token");
    assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"vestibule\", error=\"invalid_token\"");
}

#[apply(trial)]
async fn tokens_are_unique_and_stored_nowhere_s32() {
    let app = TestApp::builder().setting("sessions.max_per_user", "2").start().await;
    app.user("john", "my_password").await;
    let number = rounds(100, 10_000);
    let (mut seen, mut secret) = (BTreeSet::new(), Vec::new());
    for _ in 0..number {
        let tokens = app.sign_in("john", "my_password").await;
        secret = refresh_message(&tokens.refresh)[REFRESH_FIELDS[4].clone()].to_vec();
        assert!(seen.insert(secret.clone()), "two sessions share a secret");
    }
    let digest = SecretDigest::of(&SessionSecret::from_bytes(secret.clone().try_into().unwrap()));
    let rows = session::Entity::find().all(&app.app.db).await.unwrap();
    assert_eq!(
        rows.iter().filter(|row| row.secret_digest == digest).count(),
        1,
        "only the digest must be stored"
    );
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
async fn login_ignores_what_the_client_brings_s33() {
    let (app, tokens) = signed_in().await;
    let body = json!({ "username": "john", "password": "my_password" });
    let call = app.post("/login?sid=00000000-0000-4000-8000-000000000000").json(&body).bearer(&tokens.access);
    let answer = call.header("cookie", format!("refresh_token={0}; session={0}", tokens.refresh)).send().await;
    let other = Tokens::of(&answer);
    assert_ne!(forge::part(&other.access, 1)["sid"], forge::part(&tokens.access, 1)["sid"]);
    assert_eq!(app.count("session").await, 2);
    let mut more = body;
    more["refresh_token"] = tokens.refresh.into();
    app.post("/login").json(&more).send().await.is_problem(400, "invalid_request");
}

#[apply(trial)]
async fn reuse_ends_the_session_s34() {
    let (app, a) = signed_in().await;
    let bystander = app.sign_in("john", "my_password").await;
    let b = Tokens::of(&app.refresh(&a.refresh).await);
    let c = Tokens::of(&app.refresh(&b.refresh).await);
    app.refresh(&a.refresh).await.is_problem(401, "invalid_token");
    app.refresh(&c.refresh).await.is_problem(401, "invalid_token");
    for access in [&a.access, &b.access, &c.access] {
        assert!(!app.knows(access).await);
    }
    assert!(app.knows(&bystander.access).await, "the other session must continue");
    Tokens::of(&app.refresh(&bystander.refresh).await);
    let events = app.misuses().await;
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].kind.as_str(), events[0].outcome.as_str()), ("refresh_token_reused", "failure"));
    assert_eq!((events[0].occurred_at, events[0].client_ip.as_deref()), (app.app.clock.now(), Some("127.0.0.1")));
    assert_eq!(events[0].session_id.unwrap().to_string(), forge::part(&a.access, 1)["sid"]);
    assert_eq!(events[0].user_id.unwrap().to_string(), forge::part(&a.access, 1)["sub"]);
}

#[apply(trial)]
async fn lost_answer_is_survived_s35() {
    let (app, a) = signed_in().await;
    let b = Tokens::of(&app.refresh(&a.refresh).await);
    app.advance(29);
    let answer = app.refresh(&a.refresh).await;
    let again = Tokens::of(&answer);
    assert_eq!(again.refresh, b.refresh, "must be the same successor");
    assert_eq!(answer.body["refresh_expires_in"], 14 * 24 * 60 * 60 - 29, "must be the remaining lifetime");
    assert_eq!(session_row(&app).await.counter, 2);
    Tokens::of(&app.refresh(&b.refresh).await);
    assert!(app.misuses().await.is_empty());
}

#[apply(trial)]
async fn grace_ends_s35() {
    let (app, a) = signed_in().await;
    let b = Tokens::of(&app.refresh(&a.refresh).await);
    app.advance(30);
    app.refresh(&a.refresh).await.is_problem(401, "invalid_token");
    app.refresh(&b.refresh).await.is_problem(401, "invalid_token");
    assert_eq!(app.misuses().await.len(), 1);
}

#[apply(trial)]
async fn grace_of_zero_is_none() {
    let app = TestApp::builder().setting("sessions.refresh_grace_period", "0s").start().await;
    app.user("john", "my_password").await;
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
async fn one_successor(apps: &[&TestApp]) {
    let first = apps[0].sign_in("john", "my_password").await;
    let calls = (0..50).map(|number| apps[number % apps.len()].refresh(&first.refresh));
    let answers = futures_util::future::join_all(calls).await;
    let successors: BTreeSet<_> = answers.iter().map(|answer| Tokens::of(answer).refresh).collect();
    assert_eq!(successors.len(), 1);
    let next = Tokens::of(&apps[0].refresh(successors.first().unwrap()).await);
    assert!(apps[0].knows(&next.access).await, "no one must be signed out");
}

#[apply(trial)]
async fn parallel_refreshes_have_one_successor_s36() {
    let app = TestApp::new().await;
    app.user("john", "my_password").await;
    one_successor(&[&app]).await;
    assert_eq!(session_row(&app).await.counter, 3);
}

#[apply(trial)]
async fn parallel_refreshes_of_two_instances_have_one_successor_s36() {
    let app = TestApp::new().await;
    let other = app.another().await;
    app.user("john", "my_password").await;
    one_successor(&[&app, &other]).await;
    assert!(app.misuses().await.is_empty());
}

/// Records every update of a session in a table named `note`.
async fn note_updates(app: &TestApp) {
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
    let other = app.another().await;
    app.user("john", "my_password").await;
    note_updates(&app).await;
    for round in 1..=rounds(3, 1000) {
        one_successor(&[&app, &other]).await;
        assert_eq!(app.count("note").await, 2 * i64::try_from(round).unwrap(), "one update for the 50 callers and one for the next refresh");
    }
}

#[apply(trial)]
async fn reuse_is_seen_by_the_next_start_s38() {
    let (app, a) = signed_in().await;
    let b = Tokens::of(&app.refresh(&a.refresh).await);
    let c = Tokens::of(&app.refresh(&b.refresh).await);
    app.stop();
    let next = app.another().await;
    next.refresh(&a.refresh).await.is_problem(401, "invalid_token");
    next.refresh(&c.refresh).await.is_problem(401, "invalid_token");
    assert_eq!(next.misuses().await.len(), 1);
}

#[apply(trial)]
async fn session_ends_at_its_lifetimes_s39() {
    const DAY: u64 = 24 * 60 * 60;
    let (app, tokens) = signed_in().await;
    app.advance(14 * DAY - 1);
    let mut last = Tokens::of(&app.refresh(&tokens.refresh).await);
    app.advance(14 * DAY);
    app.refresh(&last.refresh).await.is_problem(401, "invalid_token");
    assert!(app.misuses().await.is_empty(), "an expired session must not record an event");

    last = app.sign_in("john", "my_password").await;
    for day in 1..30 {
        app.advance(DAY);
        let answer = app.refresh(&last.refresh).await;
        last = Tokens::of(&answer);
        let left = 14.min(30 - day) * DAY;
        assert_eq!(answer.body["refresh_expires_in"], left, "day {day}");
    }
    app.advance(DAY - 1);
    let answer = app.refresh(&last.refresh).await;
    assert_eq!((&answer.body["expires_in"], &answer.body["refresh_expires_in"]), (&json!(1), &json!(1)));
    last = Tokens::of(&answer);
    app.advance(1);
    app.refresh(&last.refresh).await.is_problem(401, "invalid_token");
    assert!(!app.knows(&last.access).await);
}

#[apply(trial)]
async fn access_token_never_outlives_its_session() {
    let app = TestApp::builder().setting("sessions.lifetime", "120s").start().await;
    app.user("john", "my_password").await;
    let body = json!({ "username": "john", "password": "my_password" });
    let answer = app.post("/login").json(&body).send().await;
    assert_eq!((&answer.body["expires_in"], &answer.body["refresh_expires_in"]), (&json!(120), &json!(120)));
    let claims = forge::part(&Tokens::of(&answer).access, 1);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 120);
}

#[apply(trial)]
async fn refresh_is_seen_in_the_session() {
    let (app, tokens) = signed_in().await;
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
async fn token_ahead_of_its_row_ends_the_session() {
    let (app, a) = signed_in().await;
    let b = Tokens::of(&app.refresh(&a.refresh).await);
    let c = Tokens::of(&app.refresh(&b.refresh).await);
    app.sql("UPDATE session SET counter = 1").await;
    app.refresh(&c.refresh).await.is_problem(401, "invalid_token");
    assert_eq!(app.count("session").await, 0);
    let events = app.misuses().await;
    assert_eq!((events.len(), events[0].kind.as_str()), (1, "refresh_token_out_of_sequence"));
}

#[apply(trial)]
async fn database_and_key_make_no_token_s32() {
    let (app, tokens) = signed_in().await;
    let real = refresh_message(&tokens.refresh);
    assert_eq!(with_mac(&app, &real).await, tokens.refresh, "the test must have the service's key");
    let row = session_row(&app).await;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &real[REFRESH_FIELDS[4].clone()]);
    for secret in [[0; 16].as_slice(), &digest.as_ref()[..16], row.id.as_bytes(), &[0xff; 16]] {
        for counter in [0, 1, 2, i64::MAX, i64::MIN, -1] {
            let mut forged = real.clone();
            forged[REFRESH_FIELDS[3].clone()].copy_from_slice(&counter.to_be_bytes());
            forged[REFRESH_FIELDS[4].clone()].copy_from_slice(secret);
            let forged = with_mac(&app, &forged).await;
            app.refresh(&forged).await.is_problem(401, "invalid_token");
            let revoked = app.post("/token/revoke").json(&json!({ "refresh_token": forged })).send().await;
            assert_eq!(revoked.status, 204);
        }
    }
    assert!(app.misuses().await.is_empty());
    Tokens::of(&app.refresh(&tokens.refresh).await);
}

#[apply(trial)]
async fn one_token_has_one_spelling() {
    let (app, tokens) = signed_in().await;
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
async fn refused_tokens_hurt_nobody() {
    let (app, tokens) = signed_in().await;
    let foreign = TestApp::new().await;
    foreign.user("john", "my_password").await;
    let foreign = foreign.sign_in("john", "my_password").await.refresh;
    let real = refresh_message(&tokens.refresh);
    let mut odd = vec![
        foreign,
        with_mac_of(&[0; 32], &real),
        with_mac_of(b"", &real),
        with_mac(&app, &[]).await,
        with_mac(&app, &real[..40]).await,
        with_mac(&app, &[real.as_slice(), &[0]].concat()).await,
        REFRESH_PREFIX.to_owned(),
        "\u{0}".to_owned(),
        "ﬀ".repeat(100),
        "A".repeat(2048),
        "' OR 1=1 --".to_owned(),
    ];
    for field in [0, 1, 2] {
        let mut forged = real.clone();
        forged[REFRESH_FIELDS[field].start] ^= 1;
        odd.push(with_mac(&app, &forged).await);
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
        let answer = app.post("/token/revoke").json(&json!({ "refresh_token": token })).send().await;
        assert_eq!(answer.status, 204, "{token}");
    }
    app.refresh("").await.is_problem(400, "invalid_request");
    app.refresh(&"A".repeat(2049)).await.is_problem(400, "invalid_request");
    app.refresh(&"A".repeat(1_000_000)).await.is_problem(413, "body_too_large");
    assert!(app.misuses().await.is_empty());
    Tokens::of(&app.refresh(&tokens.refresh).await);
}

#[apply(trial)]
async fn one_token_is_not_the_other_s46() {
    let (app, tokens) = signed_in().await;
    app.refresh(&tokens.access).await.is_problem(401, "invalid_token");
    let revoked = app.post("/token/revoke").json(&json!({ "refresh_token": tokens.access })).send().await;
    assert_eq!(revoked.status, 204);
    app.get("/me").bearer(&tokens.refresh).send().await.is_problem(401, "invalid_token");
    app.post("/logout").bearer(&tokens.refresh).send().await.is_problem(401, "invalid_token");
    assert!(app.knows(&tokens.access).await);
}

#[apply(trial)]
async fn tokens_in_the_url_are_ignored_s46() {
    let (app, tokens) = signed_in().await;
    let Tokens { access, refresh } = &tokens;
    app.post(&format!("/logout?access_token={access}")).send().await.is_problem(401, "missing_token");
    app.get(&format!("/me/sessions?access_token={access}")).send().await.is_problem(401, "missing_token");
    for path in ["/token/refresh", "/token/revoke"] {
        let path = format!("{path}?refresh_token={refresh}");
        app.post(&path).send().await.is_problem(415, "unsupported_media_type");
        app.post(&path).json(&json!({})).send().await.is_problem(400, "invalid_request");
    }
    assert!(app.knows(access).await);
}

#[apply(trial)]
async fn revoked_token_ends_its_session() {
    let (app, first) = signed_in().await;
    let bystander = app.sign_in("john", "my_password").await;
    app.advance(3600);
    assert!(!app.knows(&first.access).await, "the access token must have expired");
    let body = json!({ "refresh_token": first.refresh });
    assert_eq!(app.post("/token/revoke").json(&body).record().send().await.status, 204);
    app.refresh(&first.refresh).await.is_problem(401, "invalid_token");
    assert_eq!(app.post("/token/revoke").json(&body).send().await.status, 204, "revoked again");
    let next = Tokens::of(&app.refresh(&bystander.refresh).await);
    assert!(app.knows(&next.access).await);
    // An older token is accepted too: whoever presents it wants the session revoked.
    app.advance(31);
    let last = Tokens::of(&app.refresh(&next.refresh).await);
    assert_eq!(app.post("/token/revoke").json(&json!({ "refresh_token": bystander.refresh })).send().await.status, 204);
    assert!(!app.knows(&last.access).await);
}

#[apply(trial)]
async fn revoking_anything_else_is_no_error() {
    let (app, tokens) = signed_in().await;
    for token in ["x", "vst_r_", &"A".repeat(2048), &tokens.access] {
        let answer = app.post("/token/revoke").json(&json!({ "refresh_token": token })).send().await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    }
    assert!(app.knows(&tokens.access).await);
}
