//! Access tokens that the service must refuse, most of them signed with its real key.

use serde_json::{Value, json};

use crate::support::{TestApp, forge, forge::Forger};

crate::trials![
    forged_header_is_refused,
    claims_are_checked_for_type_and_value,
    foreign_and_altered_signatures_are_refused,
    times_are_held_against_the_services_clock,
    one_token_has_one_spelling,
    key_identifiers_are_only_looked_up,
];

struct Bench {
    app: TestApp,
    forger: Forger,
    token: String,
    claims: Value,
}

impl Bench {
    async fn new() -> Self {
        let app = TestApp::new().await;
        app.user("john", "my_password").await;
        let token = app.token("john", "my_password").await;
        let claims = forge::part(&token, 1);
        Self { forger: Forger::new(&app).await, app, token, claims }
    }

    async fn accepts(&self, token: &str) -> bool {
        let answer = self.app.get("/me").bearer(token).send().await;
        if answer.status != 200 {
            answer.is_problem(401, "invalid_token");
        }
        answer.status == 200
    }

    /// The claims with one of them replaced; null removes it.
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

async fn forged_header_is_refused() {
    let bench = Bench::new().await;
    let (kid, claims) = (&bench.forger.kid, bench.claims.to_string());
    let good = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}"}}"#);
    assert!(bench.accepts(&bench.forger.sign(&good, &claims)).await, "the forger's key is the service's");
    for header in [
        format!(r#"{{"typ":"JWT","alg":"ES256","kid":"{kid}"}}"#),
        format!(r#"{{"typ":"rt+jwt","alg":"ES256","kid":"{kid}"}}"#),
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

async fn claims_are_checked_for_type_and_value() {
    let bench = Bench::new().await;
    let now = bench.app.app.clock.now().seconds();
    assert!(bench.accepts(&bench.altered("jti", &json!("another"))).await);
    for name in ["iss", "aud", "client_id", "sub", "sid", "jti", "exp", "nbf", "iat"] {
        for value in [json!(null), json!([]), json!({}), json!(true), json!(""), json!(["x"])] {
            assert!(!bench.accepts(&bench.altered(name, &value)).await, "{name}: {value}");
        }
    }
    for name in ["iss", "aud"] {
        for value in ["http://localhost:5000/", "HTTP://LOCALHOST:5000", "http://localhost", "https://localhost:5000"] {
            assert!(!bench.accepts(&bench.altered(name, &json!(value))).await, "{name}: {value}");
        }
        assert!(!bench.accepts(&bench.altered(name, &json!([bench.claims[name]]))).await, "{name} as a list");
    }
    for name in ["exp", "nbf", "iat"] {
        for value in [json!(now.to_string()), json!(1_900_000_000.5), json!(1e308), json!(u64::MAX)] {
            assert!(!bench.accepts(&bench.altered(name, &value)).await, "{name}: {value}");
        }
    }
    let upper = bench.claims["sub"].as_str().unwrap().to_uppercase();
    assert!(!bench.accepts(&bench.altered("sub", &json!(upper))).await);
    let twice = bench.claims.to_string().replacen('{', r#"{"sub":"x","#, 1);
    let header = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{}"}}"#, bench.forger.kid);
    assert!(!bench.accepts(&bench.forger.sign(&header, &twice)).await, "two sub");
}

async fn foreign_and_altered_signatures_are_refused() {
    let bench = Bench::new().await;
    let foreign = Forger::foreign(&bench.forger.kid).with_claims(&bench.claims);
    assert!(!bench.accepts(&foreign).await, "another key under our name");
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
        format!("{header}..{signature}"),
        "..".to_owned(),
        ".".repeat(4000),
        "x".repeat(9000),
        r#"{"payload":"","signature":""}"#.to_owned(),
    ] {
        assert!(!bench.accepts(&token).await, "{token}");
    }
    let other = bench.app.user("jane", "my_password").await;
    let jane = bench.altered("sub", &json!(other.id.to_string()));
    assert!(!bench.accepts(&jane).await, "the session of another account");
}

async fn times_are_held_against_the_services_clock() {
    let bench = Bench::new().await;
    let now = bench.app.app.clock.now().seconds();
    for (name, offset, accepted) in [
        ("exp", -4, true),
        ("exp", -5, false),
        ("nbf", 5, true),
        ("nbf", 6, false),
        ("iat", 5, true),
        ("iat", 6, false),
    ] {
        let token = bench.altered(name, &json!(now + offset));
        assert_eq!(bench.accepts(&token).await, accepted, "{name} {offset}");
    }
}

async fn one_token_has_one_spelling() {
    let bench = Bench::new().await;
    let parts: Vec<&str> = bench.token.split('.').collect();
    for place in 0..3 {
        for change in [
            |part: &str| format!("{part}="),
            |part: &str| format!("{part}=="),
            |part: &str| format!("{} {}", &part[..5], &part[5..]),
            |part: &str| part.replace('_', "/").replace('-', "+") + "A",
            |part: &str| {
                // The last character of 86 carries four unused bits; another character with the same used bits.
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

async fn key_identifiers_are_only_looked_up() {
    let bench = Bench::new().await;
    let long = "a".repeat(5000);
    let unknown = "00000000-0000-4000-8000-000000000000";
    let upper = bench.forger.kid.to_uppercase();
    for kid in ["", "../../dev/null", "' OR 1=1 --", "\\u0000", unknown, &long, &upper] {
        let header = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}"}}"#);
        assert!(!bench.accepts(&bench.forger.sign(&header, &bench.claims.to_string())).await, "{kid}");
    }
}
