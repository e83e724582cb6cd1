//! Forged tokens: real ones with a flipped bit, or built from changed, removed, inserted and recombined parts. The
//! suffix of a test name is the ID of the security check that it covers.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::join_all;
use poem::http::HeaderValue;
use proptest::{
    collection::vec,
    option::of,
    prelude::*,
    sample::{Index, select},
};
use sea_orm::EntityTrait as _;
use vestibule::{
    domain::auth::{authenticate::authenticate, refresh::refresh},
    entity,
    secret::{AccessToken, RefreshToken},
};

use crate::support::{
    TestApp,
    app::{Tokens, client_at},
    forge::REFRESH_PREFIX,
    property, rounds,
};

/// How many requests are in flight at once. Rejected refresh tokens are counted in one row, which the requests contend
/// for.
const CONCURRENCY: usize = 4;
/// The characters that tokens consist of.
const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";

/// Returns every way to flip one bit.
fn flips(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

async fn app_with_session() -> (TestApp, Tokens) {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    (app, tokens)
}

/// Asserts that the service rejects an access token. Bytes that cannot be in a header go to `authenticate` directly.
async fn assert_rejected(app: &TestApp, token: Vec<u8>) {
    let header = [b"Bearer ".as_slice(), &token].concat();
    if HeaderValue::from_bytes(&header).is_ok() {
        app.get("/me").header("authorization", &header).send().await.is_problem(401, "invalid_token");
    } else {
        let token = AccessToken::from(String::from_utf8(token).unwrap());
        assert!(authenticate(&app.app, &token).await.is_err());
    }
}

#[apply(trial)]
async fn access_token_with_a_flipped_bit_is_rejected_s64() {
    let (app, tokens) = app_with_session().await;
    let parts: Vec<_> = tokens.access.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
    let joined =
        |parts: &[Vec<u8>]| parts.iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect::<Vec<_>>().join(".");
    assert_eq!(joined(&parts), tokens.access);
    let mut forged: Vec<_> = flips(tokens.access.as_bytes()).collect();
    for number in 0..parts.len() {
        forged.extend(flips(&parts[number]).map(|flipped| {
            let mut parts = parts.clone();
            parts[number] = flipped;
            joined(&parts).into_bytes()
        }));
    }
    println!("forged_tokens: {} access tokens with one flipped bit", forged.len());
    for some in forged.chunks(CONCURRENCY) {
        join_all(some.iter().map(|token| assert_rejected(&app, token.clone()))).await;
    }
    assert!(app.accepts(&tokens.access).await);
}

#[apply(trial)]
async fn refresh_token_with_a_flipped_bit_is_rejected_s64() {
    let (app, tokens) = app_with_session().await;
    let row = entity::session::Entity::find().one(&app.app.db).await.unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(tokens.refresh.strip_prefix(REFRESH_PREFIX).unwrap()).unwrap();
    let inside = flips(&bytes).map(|flipped| [REFRESH_PREFIX, &URL_SAFE_NO_PAD.encode(flipped)].concat().into_bytes());
    let forged: Vec<_> = flips(tokens.refresh.as_bytes()).chain(inside).collect();
    println!("forged_tokens: {} refresh tokens with one flipped bit", forged.len());
    for some in forged.chunks(CONCURRENCY) {
        join_all(some.iter().map(|token| async {
            if let Ok(token) = str::from_utf8(token) {
                return app.refresh(token).await.is_problem(401, "invalid_token");
            }
            // The bytes are not UTF-8, so the body is not JSON.
            let body = [br#"{"refresh_token": ""#.as_slice(), token, br#""}"#].concat();
            app.post("/token/refresh").text("application/json", body).send().await.is_problem(400, "malformed_request");
        }))
        .await;
    }
    assert_eq!(entity::session::Entity::find().one(&app.app.db).await.unwrap(), row);
    assert_eq!(app.misuse_events().await.len(), 0);
    assert!(app.accepts(&tokens.access).await);
    Tokens::of(&app.refresh(&tokens.refresh).await);
}

/// One change to a token.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// Continues with another real token, from the same or another position.
    ContinueWith {
        token: Index,
        at: Index,
        from: Option<Index>,
    },
    Replace {
        at: Index,
        with: char,
    },
    Insert {
        at: Index,
        what: char,
    },
    Remove {
        at: Index,
        letters: usize,
    },
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let letter = || prop_oneof![8 => select(ALPHABET.chars().collect::<Vec<_>>()), 1 => any::<char>()];
    let index = any::<Index>;
    let change = prop_oneof![
        (index(), index(), of(index())).prop_map(|(token, at, from)| Change::ContinueWith { token, at, from }),
        (index(), letter()).prop_map(|(at, with)| Change::Replace { at, with }),
        (index(), letter()).prop_map(|(at, what)| Change::Insert { at, what }),
        (index(), 1..9_usize).prop_map(|(at, letters)| Change::Remove { at, letters }),
    ];
    vec(change, 1..4)
}

fn apply_changes(real: &[String], changes: &[Change]) -> String {
    let mut text: Vec<char> = real[0].chars().collect();
    for change in changes {
        match *change {
            Change::ContinueWith { token, at, from } => {
                let other: Vec<char> = token.get(real).chars().collect();
                let at = at.index(text.len() + 1);
                text.truncate(at);
                text.extend(&other[from.map_or(at, |from| from.index(other.len())).min(other.len())..]);
            }
            Change::Replace { .. } | Change::Remove { .. } if text.is_empty() => {}
            Change::Replace { at, with } => {
                let at = at.index(text.len());
                text[at] = with;
            }
            Change::Insert { at, what } => {
                let at = at.index(text.len() + 1);
                text.insert(at, what);
            }
            Change::Remove { at, letters } => {
                let at = at.index(text.len());
                text.drain(at..text.len().min(at + letters));
            }
        }
    }
    text.into_iter().collect()
}

/// Returns a service and the tokens of three sessions of two users.
async fn three_sessions() -> (Arc<TestApp>, [Tokens; 3]) {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    app.create_user("jane", "my_password").await;
    let john = [app.sign_in("john", "my_password").await, app.sign_in("john", "my_password").await];
    let jane = app.sign_in("jane", "my_password").await;
    let [first, second] = john;
    (Arc::new(app), [first, second, jane])
}

#[apply(trial)]
async fn access_token_built_from_parts_of_others_is_rejected_s64() {
    let (app, tokens) = three_sessions().await;
    let real = Arc::new(tokens.map(|tokens| tokens.access));
    property::check(rounds(4000, 1_000_000), changes, move |changes| {
        let (app, real) = (Arc::clone(&app), Arc::clone(&real));
        async move {
            let text = apply_changes(&*real, &changes);
            let known = authenticate(&app.app, &AccessToken::from(text.clone())).await.is_ok();
            if known == real.contains(&text) { Ok(()) } else { Err(format!("{text} is accepted: {known}")) }
        }
    })
    .await;
}

#[apply(trial)]
async fn refresh_token_built_from_parts_of_others_is_rejected_s64() {
    let (app, tokens) = three_sessions().await;
    let real = Arc::new(tokens.map(|tokens| tokens.refresh));
    let (service, known) = (Arc::clone(&app), Arc::clone(&real));
    property::check(rounds(1000, 100_000), changes, move |changes| {
        let (app, real) = (Arc::clone(&service), Arc::clone(&known));
        async move {
            let text = apply_changes(&*real, &changes);
            if real.contains(&text) {
                return Ok(());
            }
            let client = client_at([127, 0, 0, 1]);
            let rejected = refresh(&app.app, &RefreshToken::from(text.clone()), &client).await.is_err();
            if rejected { Ok(()) } else { Err(format!("{text} is accepted")) }
        }
    })
    .await;
    assert_eq!((app.count("session").await, app.misuse_events().await.len()), (3, 0));
    for token in &*real {
        Tokens::of(&app.refresh(token).await);
    }
}
