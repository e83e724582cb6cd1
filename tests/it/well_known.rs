//! `/.well-known`

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::support::TestApp;

#[apply(trial)]
async fn published_key_verifies_a_token() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let token = app.access_token("john", "my_password").await;
    let keys = app.get("/.well-known/jwks.json").record().send().await;
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(keys.body["keys"][0][name].as_str().unwrap()).unwrap();
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message.as_bytes(), &signature).unwrap();
}

#[apply(trial)]
async fn published_keys_contain_only_public_parts_and_may_be_cached() {
    let app = TestApp::new().await;
    let keys = app.get("/.well-known/jwks.json").send().await;
    assert_eq!(keys.header("cache-control"), "public, max-age=300");
    let key = keys.body["keys"][0].as_object().unwrap();
    let mut members: Vec<_> = key.keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    for (name, value) in [("kty", "EC"), ("use", "sig"), ("alg", "ES256"), ("crv", "P-256")] {
        assert_eq!(key[name], value, "{name}");
    }
    let kid = key["kid"].as_str().unwrap().parse::<vestibule::ids::KeyId>();
    assert!(kid.is_ok_and(|kid| kid == app.app.keyring.current().published[0].id));
}

#[apply(trial)]
async fn keys_are_served_without_the_database() {
    let app = TestApp::new().await;
    app.app.db.close().await.unwrap();
    assert_eq!(app.get("/.well-known/jwks.json").send().await.status, 200);
}
