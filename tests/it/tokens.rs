//! Access tokens that the service must reject. Most are signed with its real key.

use std::{
    io::ErrorKind,
    net::TcpListener,
    time::{Duration, Instant},
};

use aws_lc_rs::hmac;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use vestibule::{domain::auth::authenticate::authenticate, secret::AccessToken};

use crate::support::{TestApp, forge, forge::Forger, rounds};

struct Bench {
    app: TestApp,
    forger: Forger,
    token: String,
    claims: Value,
}

impl Bench {
    async fn new() -> Self {
        let app = TestApp::new().await;
        app.create_user("john", "my_password").await;
        let token = app.access_token("john", "my_password").await;
        let claims = forge::decode_part(&token, 1);
        Self { forger: Forger::new(&app).await, app, token, claims }
    }

    async fn accepts(&self, token: &str) -> bool {
        let response = self.app.get("/me").bearer(token).send().await;
        if response.status != 200 {
            response.is_problem(401, "invalid_token");
        }
        response.status == 200
    }

    /// Returns a token with one claim replaced, or removed if the value is null.
    fn altered(&self, name: &str, value: &Value) -> String {
        let mut claims = self.claims.clone();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
        self.forger.with_claims(&claims)
    }
}

#[apply(trial)]
async fn forged_header_is_rejected() {
    let bench = Bench::new().await;
    let (kid, claims) = (&bench.forger.kid, bench.claims.to_string());
    let good = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}"}}"#);
    assert!(bench.accepts(&bench.forger.sign(&good, &claims)).await, "the test must have the service's key");
    for header in [
        format!(r#"{{"typ":"JWT","alg":"ES256","kid":"{kid}"}}"#),
        format!(r#"{{"typ":"rt+jwt","alg":"ES256","kid":"{kid}"}}"#),
        format!(r#"{{"typ":"reset+jwt","alg":"ES256","kid":"{kid}"}}"#),
        format!(r#"{{"typ":["at+jwt"],"alg":"ES256","kid":"{kid}"}}"#),
        format!(r#"{{"typ":"at+jwt","alg":"EdDSA","kid":"{kid}"}}"#),
        format!(r#"{{"typ":"at+jwt","alg":"PS256","kid":"{kid}"}}"#),
        format!(r#"{{"typ":"at+jwt","alg":"es256","kid":"{kid}"}}"#),
        format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}","cty":"JWT"}}"#),
        format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}","enc":"A256GCM"}}"#),
        format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#),
        format!(r#"{{"typ":"at+jwt","alg":"ES384","kid":"{kid}"}}"#),
        format!(r#"{{"typ":"at+jwt","alg":"RS256","kid":"{kid}"}}"#),
        format!(r#"{{"typ":"at+jwt","alg":"HS256","kid":"{kid}"}}"#),
        format!(r#"{{"typ":"at+jwt","alg":"none","kid":"{kid}"}}"#),
        format!(r#"{{"typ":"at+jwt","alg":"NONE","kid":"{kid}"}}"#),
        format!(r#"{{"typ":"at+jwt","alg":["ES256"],"kid":"{kid}"}}"#),
        format!(r#"{{"typ":"at+jwt","kid":"{kid}"}}"#),
        r#"{"typ":"at+jwt","alg":"ES256"}"#.to_owned(),
        format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}","crit":["exp"]}}"#),
        format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}","b64":false,"crit":["b64"]}}"#),
        format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}","zip":"DEF"}}"#),
        format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}","jku":"http://127.0.0.1:1/keys"}}"#),
        format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}","alg":"none"}}"#),
        "[]".to_owned(),
        "null".to_owned(),
    ] {
        assert!(!bench.accepts(&bench.forger.sign(&header, &claims)).await, "{header}");
    }
}

#[apply(trial)]
async fn claims_are_checked_for_type_and_value() {
    let bench = Bench::new().await;
    let now = bench.app.app.clock.now().seconds();
    assert!(bench.accepts(&bench.altered("jti", &json!("another"))).await);
    for name in ["iss", "aud", "client_id", "sub", "sid", "jti", "exp", "iat"] {
        for value in [json!(null), json!([]), json!({}), json!(true), json!(-1), json!(""), json!(["x"])] {
            assert!(!bench.accepts(&bench.altered(name, &value)).await, "{name}: {value}");
        }
    }
    for name in ["iss", "aud", "client_id", "sub", "sid", "jti"] {
        assert!(!bench.accepts(&bench.altered(name, &json!(5))).await, "{name} as a number");
    }
    for name in ["iss", "aud"] {
        for value in ["http://localhost:5000/", "HTTP://LOCALHOST:5000", "http://localhost", "https://localhost:5000"] {
            assert!(!bench.accepts(&bench.altered(name, &json!(value))).await, "{name}: {value}");
        }
        assert!(!bench.accepts(&bench.altered(name, &json!([bench.claims[name]]))).await, "{name} as a list");
    }
    for name in ["exp", "iat"] {
        for value in [json!(now.to_string()), json!(1_900_000_000.5), json!(1e308), json!(1_u64 << 63), json!(u64::MAX)]
        {
            assert!(!bench.accepts(&bench.altered(name, &value)).await, "{name}: {value}");
        }
    }
    let upper = bench.claims["sub"].as_str().unwrap().to_uppercase();
    assert!(!bench.accepts(&bench.altered("sub", &json!(upper))).await);
    let twice = bench.claims.to_string().replacen('{', r#"{"sub":"x","#, 1);
    assert!(!bench.accepts(&bench.forger.sign(&bench.forger.header(), &twice)).await, "two sub claims");
}

#[apply(trial)]
async fn unknown_claims_are_parsed_strictly_too() {
    let bench = Bench::new().await;
    let more = |value: &[u8]| [br#"{"scope":"#, value, b",", &bench.claims.to_string().into_bytes()[1..]].concat();
    let deep = "[".repeat(40) + &"]".repeat(40);
    let cases: [(bool, &[u8]); 10] = [
        (true, br#""all""#),
        (true, b"[1e300,{}]"),
        (true, br#"{"a":1,"b":{"a":1}}"#),
        (true, br#"{"$serde_json::private::RawValue":"{"}"#),
        (false, b"\"a\xff\""),
        (false, br#""\ud800""#),
        (false, b"1e999"),
        (false, br#"{"a":1,"a":1}"#),
        (false, br#"1,"scope":1"#),
        (false, deep.as_bytes()),
    ];
    for (fine, value) in cases {
        let accepted = bench.accepts(&bench.forger.sign(&bench.forger.header(), &more(value))).await;
        assert_eq!(accepted, fine, "{}", value.escape_ascii());
    }
}

#[apply(trial)]
async fn arrays_are_not_accepted_as_objects() {
    let bench = Bench::new().await;
    let names = ["iss", "sub", "aud", "client_id", "exp", "iat", "jti", "sid"];
    let list = names.map(|name| bench.claims[name].to_string()).join(",");
    assert!(!bench.accepts(&bench.forger.sign(&bench.forger.header(), &format!("[{list}]"))).await);
    let header = format!(r#"["at+jwt","ES256","{}"]"#, bench.forger.kid);
    assert!(!bench.accepts(&bench.forger.sign(&header, &bench.claims.to_string())).await);
    assert!(bench.accepts(&bench.forger.sign(&bench.forger.header(), &bench.claims.to_string())).await);
}

#[apply(trial)]
async fn foreign_and_altered_signatures_are_rejected() {
    let bench = Bench::new().await;
    let foreign = Forger::with_other_key(&bench.forger.kid).with_claims(&bench.claims);
    assert!(!bench.accepts(&foreign).await, "another key under the service's key ID");
    let (message, signature) = bench.token.rsplit_once('.').unwrap();
    let (header, claims) = message.split_once('.').unwrap();
    let zero = "A".repeat(86);
    for token in [
        format!("{message}."),
        message.to_owned(),
        format!("{message}.{zero}"),
        format!("{message}.{}", &signature[..40]),
        format!("{message}.{signature}AAAA"),
        format!("{header}.{claims}.{signature}.{signature}"),
        format!("{header}.{claims}.{signature}.{signature}.{signature}"),
        format!("{header}..{signature}"),
        "..".to_owned(),
        ".".repeat(4000),
        "x".repeat(9000),
        r#"{"payload":"","signature":""}"#.to_owned(),
        format!(r#"{{"protected":"{header}","payload":"{claims}","signature":"{signature}"}}"#),
    ] {
        assert!(!bench.accepts(&token).await, "{token}");
    }
    let other = bench.app.create_user("jane", "my_password").await;
    let jane = bench.altered("sub", &json!(other.id.to_string()));
    assert!(!bench.accepts(&jane).await, "the session of another user");
}

#[apply(trial)]
async fn times_are_checked_against_the_service_clock() {
    let bench = Bench::new().await;
    let now = bench.app.app.clock.now().seconds();
    for (name, offset, accepted) in [("exp", -4, true), ("exp", -5, false), ("iat", 5, true), ("iat", 6, false)] {
        let token = bench.altered(name, &json!(now + offset));
        assert_eq!(bench.accepts(&token).await, accepted, "{name} {offset}");
    }
}

#[apply(trial)]
async fn access_token_has_only_one_encoding() {
    let bench = Bench::new().await;
    let parts: Vec<&str> = bench.token.split('.').collect();
    for place in 0..3 {
        for change in [
            |part: &str| format!("{part}="),
            |part: &str| format!("{part}=="),
            |part: &str| format!("{} {}", &part[..5], &part[5..]),
            |part: &str| part.replace('_', "/").replace('-', "+") + "A",
            |part: &str| {
                // The last character of 86 has four unused bits. This changes only those.
                let (rest, last) = part.split_at(part.len() - 1);
                let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
                let index = alphabet.find(last).unwrap();
                format!("{rest}{}", &alphabet[index ^ 1..=index ^ 1])
            },
        ] {
            let mut changed: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
            changed[place] = change(parts[place]);
            assert!(!bench.accepts(&changed.join(".")).await, "part {place}: {}", changed[place]);
        }
    }
}

#[apply(trial)]
async fn key_ids_are_only_looked_up_in_memory_s53() {
    let bench = Bench::new().await;
    // The token is checked in memory first: with the database closed, a token that passes gets 503.
    bench.app.app.db.close().await.unwrap();
    bench.app.get("/me").bearer(&bench.token).send().await.is_problem(503, "unavailable");
    let long = "a".repeat(10_000);
    let unknown = "00000000-0000-4000-8000-000000000000";
    let upper = bench.forger.kid.to_uppercase();
    for kid in ["", "../../dev/null", "http://127.0.0.1:1/key", "' OR 1=1 --", "\\u0000", unknown, &long, &upper] {
        let header = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}"}}"#);
        assert!(!bench.accepts(&bench.forger.sign(&header, &bench.claims.to_string())).await, "{kid}");
    }
}

#[apply(trial)]
async fn unsigned_tokens_are_rejected_s50() {
    let bench = Bench::new().await;
    let claims = URL_SAFE_NO_PAD.encode(bench.claims.to_string());
    for alg in ["none", "None", "NONE", "nOnE", " none", "none ", "none\\u0000", "", "null", "ES256", "HS256"] {
        let header = format!(r#"{{"typ":"at+jwt","alg":"{alg}","kid":"{}"}}"#, bench.forger.kid);
        let message = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header));
        for token in [message.clone(), format!("{message}."), format!("{message}.."), format!("{message}.AAAA")] {
            assert!(!bench.accepts(&token).await, "{alg}: {token}");
        }
    }
}

/// Returns the published key in every form that a verifier might mistake for an HMAC secret.
fn hmac_secret_candidates(key: &Value) -> Vec<Vec<u8>> {
    let [x, y] = ["x", "y"].map(|name| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap());
    let point = [vec![4], x.clone(), y.clone()].concat();
    // SubjectPublicKeyInfo of a point on P-256 (RFC 5480).
    let head =
        b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
    let der = [head.as_slice(), &point].concat();
    let text = STANDARD.encode(&der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"));
    let texts = [pem.trim_end().to_owned(), pem, key.to_string(), key["x"].as_str().unwrap().to_owned(), text];
    let bytes = [der, point[1..].to_vec(), point, x, y, Vec::new()];
    texts.map(String::into_bytes).into_iter().chain(bytes).collect()
}

#[apply(trial)]
async fn tokens_signed_with_the_public_key_as_hmac_secret_are_rejected_s51() {
    let bench = Bench::new().await;
    let keys = bench.app.get("/.well-known/jwks.json").send().await;
    let claims = URL_SAFE_NO_PAD.encode(bench.claims.to_string());
    for secret in hmac_secret_candidates(&keys.body["keys"][0]) {
        for (alg, hash) in [("HS256", hmac::HMAC_SHA256), ("HS512", hmac::HMAC_SHA512), ("ES256", hmac::HMAC_SHA256)] {
            let header = format!(r#"{{"typ":"at+jwt","alg":"{alg}","kid":"{}"}}"#, bench.forger.kid);
            let message = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header));
            let mac = hmac::sign(&hmac::Key::new(hash, &secret), message.as_bytes());
            assert!(!bench.accepts(&format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.as_ref()))).await, "{alg}");
        }
    }
}

#[apply(trial)]
async fn keys_in_the_header_are_rejected_s54() {
    let bench = Bench::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let claims = bench.claims.to_string();
    let foreign = Forger::with_other_key(&bench.forger.kid);
    let jwk = bench.app.get("/.well-known/jwks.json").send().await.body["keys"][0].clone();
    let good = json!({ "typ": "at+jwt", "alg": "ES256", "kid": bench.forger.kid });
    let members =
        [("jku", json!(url)), ("x5u", json!(url)), ("jwk", jwk), ("x5c", json!(["MIIB"])), ("x5t", json!("x"))];
    for (name, value) in members {
        let mut header = good.clone();
        header[name] = value;
        for signer in [&bench.forger, &foreign] {
            assert!(!bench.accepts(&signer.sign(&header.to_string(), &claims)).await, "{header}");
        }
    }
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "the service must not fetch a key");
}

#[apply(trial)]
async fn degenerate_signatures_are_rejected_s63() {
    const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    const PRIME: &str = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
    let number = |text: &str| -> Vec<u8> {
        (0..32).map(|place| u8::from_str_radix(&text[2 * place..2 * place + 2], 16).unwrap()).collect()
    };
    let [zero, one] = [0, 1].map(|low| [vec![0; 31], vec![low]].concat());
    let mut before = number(ORDER);
    before[31] -= 1;
    let mut after = number(ORDER);
    after[31] += 1;
    let odd = [zero, one, before, number(ORDER), after, number(PRIME), vec![0xff; 32]];
    let bench = Bench::new().await;
    let (message, signature) = bench.token.rsplit_once('.').unwrap();
    let real = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let (r, s) = real.split_at(32);
    let mut signatures = vec![real[..63].to_vec(), [real.as_slice(), &[0]].concat(), [s, r].concat(), r.to_vec()];
    for one in &odd {
        signatures.extend([[one, s].concat(), [r, one].concat()]);
        signatures.extend(odd.iter().map(|other| [one.as_slice(), other].concat()));
    }
    for signature in signatures {
        assert!(!bench.accepts(&format!("{message}.{}", URL_SAFE_NO_PAD.encode(&signature))).await, "{signature:?}");
    }
}

#[apply(trial)]
async fn token_with_any_changed_bit_is_rejected_s64() {
    let app = TestApp::builder().setting("sessions.max_per_user", "2").start().await;
    app.create_user("john", "my_password").await;
    for _ in 0..rounds(1, 210) {
        let token = app.access_token("john", "my_password").await;
        let accepts = |text: String| {
            let app = &app.app;
            async move { authenticate(app, &AccessToken::from(text)).await.is_ok() }
        };
        assert!(accepts(token.clone()).await, "the unchanged token must be accepted");
        for place in 0..token.len() {
            for bit in 0..7 {
                let mut changed = token.clone().into_bytes();
                changed[place] ^= 1 << bit;
                let changed = String::from_utf8(changed).unwrap();
                assert!(!accepts(changed.clone()).await, "{changed}");
            }
        }
    }
}

#[apply(trial)]
async fn oversized_tokens_are_rejected_cheaply_s61() {
    let bench = Bench::new().await;
    let long = bench.altered("jti", &json!("x".repeat(9000)));
    assert!(!bench.accepts(&long).await, "too long, although signed with the service's key");
    let mut times = Vec::new();
    for token in [".".repeat(30_000), "A".repeat(30_000), format!("{}.{}", "A".repeat(15_000), ".".repeat(15_000))] {
        for _ in 0..5 {
            let begun = Instant::now();
            assert!(!bench.accepts(&token).await);
            times.push(begun.elapsed());
        }
    }
    times.sort_unstable();
    assert!(times[times.len() / 2] < Duration::from_millis(50), "{times:?}");
    // The HTTP server rejects a header of one megabyte before the token is read.
    let url = format!("http://{}/me", bench.app.address);
    let huge = reqwest::Client::new().get(url).bearer_auth(".".repeat(1_000_000)).send().await;
    assert!(huge.is_err() || huge.is_ok_and(|response| response.status() == 431));
    assert!(bench.accepts(&bench.token).await);
}
