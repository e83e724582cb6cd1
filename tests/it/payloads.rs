//! Injection payloads for databases, templates, terminals and file systems, in every string of every request. None is
//! executed, echoed, or makes the service fail. The suffix of a test name is the ID of the security check that it
//! covers.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{
    TestApp,
    app::Tokens,
    client::{Call, TestResponse, percent_encoded},
    contract::{OperationInfo, UNKNOWN_ID, operations, with_parameters},
    document,
};

const PASSWORD: &str = "my_password";
/// The product that the template payloads would evaluate to. No identifier contains it by chance.
const PRODUCT: &str = "1000393365";

/// A payload for one place of a request.
struct Payload {
    /// Its form in a JSON body, including quotes.
    json: String,
    /// Its form in a path.
    path: String,
    /// Texts that must not be in the response.
    traces: Vec<String>,
}

impl Payload {
    fn text(text: &str) -> Self {
        let json = Value::from(text).to_string();
        let path = percent_encoded(text);
        let escaped = json.trim_matches('"').to_owned();
        // The message about a username names one character of it.
        let traces = if text.chars().count() == 1 { Vec::new() } else { vec![text.to_owned(), escaped] };
        Self { json, path, traces }
    }

    /// A payload that only JSON or only the path can express.
    fn raw(json: &str, path: &str) -> Self {
        Self { json: json.to_owned(), path: path.to_owned(), traces: Vec::new() }
    }
}

fn payloads() -> Vec<Payload> {
    let texts = [
        "' OR 1=1 --",
        "'; DROP TABLE user; --",
        "\"; DROP TABLE \"user\"; --",
        "1' AND SLEEP(5) #",
        "pg_sleep(5)",
        "%' OR '1'='1",
        "' UNION SELECT password_hash FROM user --",
        "\\",
        "\\'",
        "`",
        "%_%",
        "{{19427*51495}}",
        "${19427*51495}",
        "<%= 19427*51495 %>",
        "#{19427*51495}",
        "$(sleep 5)",
        "${jndi:ldap://127.0.0.1:1/a}",
        "<script>alert(1)</script>",
        "%s%n%d{0}",
        "a\0b",
        "a\r\nSet-Cookie: a=b",
        "\u{1b}[31mred",
        "\u{202e}txt.exe",
        "\u{feff}\u{200b}",
        "\u{fffe}\u{10ffff}",
        "../../etc/passwd",
        "..\\..\\etc",
        "%00",
        "%2e%2e%2f",
        "file:///etc/passwd",
    ];
    let long = Payload { traces: vec!["0123456789".repeat(10)], ..Payload::text(&"0123456789".repeat(1024)) };
    let raw = [
        Payload::raw(r#""\ud800""#, "%ED%A0%80"),
        Payload::raw(r#""\udc00\ud800""#, "%FF%FE"),
        Payload::raw(r#""\x00""#, "%c0%80"),
        Payload::raw("-0", "-0"),
        Payload::raw("1e400", "%"),
        Payload::raw(&"9".repeat(400), "%2"),
        Payload::raw("NaN", "%zz"),
    ];
    texts.map(Payload::text).into_iter().chain([long]).chain(raw).collect()
}

/// The place for a payload: a string of the body, by JSON pointer, or the path's parameters.
#[derive(Clone, Copy)]
enum Place<'a> {
    Body(&'a str),
    Path,
}

/// Returns every place in the document.
fn places(operations: &[OperationInfo]) -> Vec<(&OperationInfo, Place<'_>)> {
    let mut places = Vec::new();
    for operation in operations {
        places.extend(operation.strings.iter().map(|pointer| (operation, Place::Body(pointer))));
        if operation.path.contains('{') {
            places.push((operation, Place::Path));
        }
    }
    places
}

/// Creates a user for one request and signs them in.
async fn new_user(app: &TestApp) -> (String, Tokens) {
    let name = format!("user{}", app.count("user").await);
    app.create_user(&name, PASSWORD).await;
    let tokens = app.sign_in(&name, PASSWORD).await;
    (name, tokens)
}

/// Builds the example request of an operation as a new user, with the payload in one place.
async fn call(app: &TestApp, operation: &OperationInfo, place: Place<'_>, payload: &Payload) -> Call {
    let (name, tokens) = new_user(app).await;
    let url = match place {
        Place::Path => with_parameters(&operation.path, &payload.path),
        Place::Body(_) => with_parameters(&operation.path, UNKNOWN_ID),
    };
    let mut call = app.call(&operation.method, &url);
    if operation.requires_token {
        call = call.bearer(&tokens.access);
    }
    let Some(mut body) = operation.example.clone() else { return call };
    let name = if operation.id == "register" { format!("{name}.new") } else { name };
    for (member, value) in [("username", &name), ("refresh_token", &tokens.refresh)] {
        if body.get(member).is_some() {
            body[member] = value.as_str().into();
        }
    }
    if let Place::Body(pointer) = place {
        set_at(&mut body, pointer, UNKNOWN_ID.into());
    }
    call.text("application/json", body.to_string().replace(&format!("\"{UNKNOWN_ID}\""), &payload.json))
}

/// Sets the value at a JSON pointer, whether or not the example has that member.
fn set_at(body: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match body.pointer_mut(parent).unwrap() {
        Value::Array(items) => *items = vec![value],
        object => object[name] = value,
    }
}

/// Returns the fault of a response: it must not be a server error or reflect the payload.
fn fault(response: &TestResponse, payload: &Payload) -> Option<&'static str> {
    let head =
        response.headers.iter().map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
    let said = head.chain([response.text.clone()]).collect::<String>();
    [
        (response.status >= 500, "the service failed"),
        (payload.traces.iter().any(|trace| said.contains(trace.as_str())), "the payload is echoed"),
        (said.contains(PRODUCT), "the template was executed"),
        (said.contains("root:x:"), "the file was read"),
    ]
    .into_iter()
    .find_map(|(found, fault)| found.then_some(fault))
}

#[apply(trial)]
async fn payloads_are_neither_executed_nor_echoed_s77_s87_s111() {
    let app = TestApp::new().await;
    let (witness, tokens) = new_user(&app).await;
    for (operation, place) in places(&operations()) {
        for payload in payloads() {
            let response = call(&app, operation, place, &payload).await.send().await;
            let fault = fault(&response, &payload);
            assert_eq!(fault, None, "{} with {}: {response:?}", operation.id, payload.json);
        }
    }
    assert!(app.accepts(&tokens.access).await, "tables and rows must be unchanged");
    app.access_token(&witness, PASSWORD).await;
}

async fn response_time(app: &TestApp, operation: &OperationInfo, place: Place<'_>, payload: &Payload) -> Duration {
    let call = call(app, operation, place, payload).await;
    let begun = Instant::now();
    call.send().await;
    begun.elapsed()
}

#[apply(trial)]
async fn payloads_do_not_make_the_database_sleep_s111() {
    const ROUNDS: usize = 3;
    let app = TestApp::new().await;
    for (operation, place) in places(&operations()) {
        for sleep in [
            "1' AND SLEEP(5) #",
            "1'; SELECT pg_sleep(5); --",
            "1' || pg_sleep(5) --",
            "1' AND 1=LIKE('A',UPPER(HEX(RANDOMBLOB(500000000)))) --",
        ] {
            let harmless = Payload::text(&"x".repeat(sleep.len()));
            let sleep = Payload::text(sleep);
            let (mut slow, mut usual) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                slow.push(response_time(&app, operation, place, &sleep).await);
                usual.push(response_time(&app, operation, place, &harmless).await);
            }
            slow.sort_unstable();
            usual.sort_unstable();
            let (slow, usual) = (slow[ROUNDS / 2], usual[ROUNDS / 2]);
            assert!(slow < usual + Duration::from_secs(1), "{} with {}: {slow:?}", operation.id, sleep.json);
        }
    }
}

#[apply(trial)]
async fn every_string_in_the_document_is_tested() {
    let known = operations();
    let places = places(&known);
    let strings = document().value["components"]["schemas"].as_object().unwrap().iter();
    let requests = strings.filter(|(name, _)| name.ends_with("Request"));
    for (name, schema) in requests {
        for member in schema["properties"].as_object().unwrap().keys() {
            let pointer = format!("/{member}");
            let tried = places.iter().any(|(_, place)| matches!(place, Place::Body(tried) if *tried == pointer));
            assert!(tried, "{name}: {member}");
        }
    }
    assert!(places.iter().any(|(operation, place)| operation.id == "endSession" && matches!(place, Place::Path)));
}

#[apply(trial)]
async fn injected_faults_are_detected() {
    let app = TestApp::new().await;
    let payload = Payload::text("a\r\nb");
    let injected = |status: u16, text: &str| TestResponse {
        status,
        headers: reqwest::header::HeaderMap::new(),
        text: text.to_owned(),
        body: Value::Null,
    };
    let real = app.post("/login").json(&serde_json::json!({})).send().await;
    assert_eq!(fault(&real, &payload), None);
    assert_eq!(fault(&injected(500, ""), &payload), Some("the service failed"));
    assert_eq!(fault(&injected(400, "no a\r\nb"), &payload), Some("the payload is echoed"));
    assert_eq!(fault(&injected(400, r#"{"detail":"no a\r\nb"}"#), &payload), Some("the payload is echoed"));
    assert_eq!(fault(&injected(400, &format!("no {PRODUCT}")), &payload), Some("the template was executed"));
    assert_eq!(fault(&injected(200, "root:x:0:0"), &payload), Some("the file was read"));
    let mut header = injected(200, "");
    header.headers.insert("x-said", "%00".parse().unwrap());
    assert_eq!(fault(&header, &Payload::text("%00")), Some("the payload is echoed"));
}
