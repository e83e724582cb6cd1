//! Damaged rows and keys.

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait as _, DatabaseBackend, DatabaseConnection, EntityTrait as _};
use serde_json::json;
use vestibule::entity::sealed_key;

use super::random_below;
use crate::support::{
    process::{Deployment, PASSWORD, Server},
    results::ResultRow,
    rounds,
};

/// The time within which a start must fail, because waiting would not help.
const START_FAILURE_LIMIT: Duration = Duration::from_secs(5);
/// The time within which a request about a damaged row must get its response.
const RESPONSE_LIMIT: Duration = Duration::from_secs(2);

/// Each round damages one character of the master key, or one bit of a key that it seals.
#[apply(trial)]
async fn start_fails_with_a_damaged_key_r27() {
    let number = rounds(10, 100);
    let deployment = Deployment::new().await;
    let server = Server::start(deployment.command());
    server.sign_up("john").await;
    server.stop();
    let db = deployment.connect().await;
    let stored = async || {
        let mut keys = sealed_key::Entity::find().all(&db).await.unwrap();
        keys.sort_by_key(|key| key.id.to_string());
        keys
    };
    let keys = stored().await;
    let mut slowest = Duration::ZERO;
    for round in 0..number {
        let place = round % (keys.len() + 1);
        if let Some(key) = keys.get(place) {
            let mut damaged = key.clone();
            let bit = random_below(damaged.sealed.len() * 8);
            damaged.sealed[bit / 8] ^= 1 << (bit % 8);
            store(&db, damaged).await;
        } else {
            let mut text = deployment.master_key().into_bytes();
            let letter = random_below(text.len());
            text[letter] = if text[letter] == b'A' { b'B' } else { b'A' };
            deployment.with_master_key(&text, || slowest = slowest.max(assert_start_fails(&deployment)));
            continue;
        }
        slowest = slowest.max(assert_start_fails(&deployment));
        store(&db, keys[place].clone()).await;
    }
    let server = Server::start(deployment.command());
    assert_eq!(server.log_in("john", PASSWORD).await.status, 200, "the service must work with the original keys");
    assert_eq!(stored().await, keys, "no key must be replaced");
    let result = ResultRow {
        id: "R27",
        scenario: "a damaged master, signing, refresh, pseudonym or audit key",
        rounds: number,
        notes: format!("each start failed with exit code 6, the slowest after {:.2} s", slowest.as_secs_f64()),
        ..ResultRow::default()
    };
    result.write();
}

async fn store(db: &DatabaseConnection, key: sealed_key::Model) {
    use sea_orm::{ActiveModelTrait as _, IntoActiveModel as _};
    key.into_active_model().reset_all().update(db).await.unwrap();
}

/// Starts the service, which must fail. Returns how long that took.
fn assert_start_fails(deployment: &Deployment) -> Duration {
    let begun = Instant::now();
    let code = deployment.failed_start_exit_code(&[]);
    let took = begun.elapsed();
    assert_eq!(code, Some(6), "{}", deployment.logs());
    assert!(took < START_FAILURE_LIMIT, "{took:?}");
    took
}

/// Tables and the damage that is done to a row.
const DAMAGES: [(&str, &str); 20] = [
    ("user", "password_hash = ''"),
    ("user", "password_hash = 'my_password'"),
    ("user", "password_hash = '$argon2id$'"),
    (
        "user",
        "password_hash = '$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g'",
    ),
    (
        "user",
        "password_hash = '$argon2id$v=19$m=64,t=4294967295,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g'",
    ),
    (
        "user",
        "password_hash = '$argon2id$v=19$m=64,t=1,p=16777215$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g'",
    ),
    (
        "user",
        "password_hash = '$argon2d$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g'",
    ),
    ("user", "password_hash = '$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW'"),
    ("user", "password_hash = '$argon2id$v=19$m=64,t=1,p=1$$'"),
    ("user", "state = 'odd'"),
    ("user", "state = ''"),
    ("user", "username = ''"),
    ("user", "username_canonical = ''"),
    ("user", "created_at = -9223372036854775808"),
    ("user", "password_changed_at = 9223372036854775807"),
    ("session", "counter = -9223372036854775808"),
    ("session", "counter = 9223372036854775807"),
    ("session", "rotated_at = 9223372036854775807, created_at = -1"),
    ("session", "refreshes_until = 9223372036854775807"),
    ("session", "idle_expires_at = 9223372036854775807, expires_at = -9223372036854775808"),
];

#[apply(trial)]
async fn damaged_row_affects_only_its_user_r28() {
    let deployment = Deployment::new().await;
    let server = Server::start(deployment.command());
    let client = server.client();
    let db = deployment.connect().await;
    let quote = if db.get_database_backend() == DatabaseBackend::MySql { '`' } else { '"' };
    let bystander = client.sign_up("jane").await;
    let (mut slowest, mut wrongly_accepted, mut statuses) =
        (Duration::ZERO, 0, std::collections::BTreeMap::<u16, usize>::new());
    for (number, (table, change)) in DAMAGES.into_iter().enumerate() {
        let name = format!("john{number}");
        let tokens = client.sign_up(&name).await;
        let whose = format!("(SELECT id FROM {quote}user{quote} WHERE username_canonical = '{name}')");
        let which =
            if table == "user" { format!("username_canonical = '{name}'") } else { format!("user_id = {whose}") };
        let damaged = db.execute_unprepared(&format!("UPDATE {quote}{table}{quote} SET {change} WHERE {which}")).await;
        assert_eq!(damaged.unwrap().rows_affected(), 1, "{change}");
        let refresh = json!({ "refresh_token": tokens.refresh });
        let change_password = json!({ "current_password": "my_password", "new_password": "another_password" });
        for call in [
            client.call("GET", "/me").bearer(&tokens.access),
            client.call("GET", "/me/sessions").bearer(&tokens.access),
            client.call("POST", "/token/refresh").json(&refresh),
            client.call("POST", "/me/password").bearer(&tokens.access).json(&change_password),
            client.call("POST", "/login").json(&json!({ "username": name, "password": "my_password" })),
        ] {
            let begun = Instant::now();
            // The response is checked against the document, like every response.
            let response = call.send().await;
            slowest = slowest.max(begun.elapsed());
            *statuses.entry(response.status).or_default() += 1;
        }
        if change.starts_with("password_hash") {
            wrongly_accepted += usize::from(client.log_in(&name, PASSWORD).await.status == 200);
        }
        assert_eq!(client.get("/me").bearer(&bystander.access).send().await.status, 200, "{change}");
        assert_eq!(client.log_in("jane", PASSWORD).await.status, 200, "{change}");
    }
    assert!(slowest < RESPONSE_LIMIT, "a damaged hash must not be computed: {slowest:?}");
    let result = ResultRow {
        id: "R28",
        scenario: "damaged rows of users and sessions",
        rounds: DAMAGES.len(),
        wrongly_accepted: Some(wrongly_accepted),
        notes: format!("responses {statuses:?}, the slowest after {:.2} s; others unaffected", slowest.as_secs_f64()),
        ..ResultRow::default()
    };
    result.write();
    assert_eq!(wrongly_accepted, 0, "signed in with a damaged hash");
    server.stop();
}
