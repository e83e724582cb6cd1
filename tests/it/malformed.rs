//! Malformed request bodies: each is rejected, and nothing changes.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::support::TestApp;

const PATHS: [&str; 2] = ["/login", "/register"];

#[apply(trial)]
async fn bodies_that_cannot_be_parsed_are_malformed_t7() {
    let app = TestApp::new().await;
    let nested = format!("{}{}", "[".repeat(8000), "]".repeat(8000));
    let deep = |inner: &str| format!("{}{inner}{}", r#"{"a":"#.repeat(32), "}".repeat(32)).into_bytes();
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b" ".to_vec(),
        b"{".to_vec(),
        b"john".to_vec(),
        b"{\"username\": \"john\", \"password\": \"my_password\"} {}".to_vec(),
        b"{'username': 'john'}".to_vec(),
        b"{\"username\": \"john\", \"username\": \"jane\", \"password\": \"my_password\"}".to_vec(),
        b"{\"username\": \"\xff\xfe\", \"password\": \"my_password\"}".to_vec(),
        br#"{"username": "\ud800", "password": "my_password"}"#.to_vec(),
        br#"{"username": "john", "password": 1e400}"#.to_vec(),
        format!(r#"{{"username": {}, "password": "my_password"}}"#, "9".repeat(400)).into_bytes(),
        nested.into_bytes(),
        deep(r#"{"a": 1}"#),
        deep("{}"),
        deep("[]"),
    ];
    for path in PATHS {
        for body in &bodies {
            let response = app.post(path).text("application/json", body.clone()).send().await;
            response.is_problem(400, "malformed_request");
        }
    }
    assert_eq!((app.count("user").await, app.count("session").await), (0, 0));
}

#[apply(trial)]
async fn members_are_checked_against_the_schema_t7() {
    let app = TestApp::new().await;
    let long = "x".repeat(321);
    let cases = [
        (json!(null), vec![("", "wrong_type")]),
        (json!([]), vec![("", "wrong_type")]),
        (json!("john"), vec![("", "wrong_type")]),
        (json!({}), vec![("/username", "required"), ("/password", "required")]),
        (json!({ "username": "john" }), vec![("/password", "required")]),
        (json!({ "username": 5, "password": "my_password" }), vec![("/username", "wrong_type")]),
        (json!({ "username": null, "password": "my_password" }), vec![("/username", "wrong_type")]),
        (json!({ "username": ["john"], "password": "my_password" }), vec![("/username", "wrong_type")]),
        (
            json!({ "username": -0.0, "password": u64::MAX }),
            vec![("/username", "wrong_type"), ("/password", "wrong_type")],
        ),
        (json!({ "username": "john", "password": true }), vec![("/password", "wrong_type")]),
        (json!({ "username": "john", "password": {} }), vec![("/password", "wrong_type")]),
        (json!({ "username": long, "password": "my_password" }), vec![("/username", "too_long")]),
        (json!({ "username": "john", "password": "x".repeat(257) }), vec![("/password", "too_long")]),
        (json!({ "username": "", "password": "my_password" }), vec![("/username", "too_short")]),
        (json!({ "username": "john", "password": "" }), vec![("/password", "too_short")]),
        (json!({ "username": "john", "password": "my_password", "role": "admin" }), vec![("/role", "unknown")]),
    ];
    for path in PATHS {
        for (body, expected) in &cases {
            let response = app.post(path).json(body).send().await;
            response.is_problem(400, "invalid_request");
            for (pointer, code) in expected {
                let found = response.errors().contains(&((*pointer).to_owned(), (*code).to_owned()));
                assert!(found, "{path} {body}: {pointer} {code}: {response:?}");
            }
        }
    }
    assert_eq!((app.count("user").await, app.count("session").await), (0, 0));
}

#[apply(trial)]
async fn other_media_types_are_415() {
    let app = TestApp::new().await;
    let body = r#"{"username": "john", "password": "my_password"}"#;
    for path in PATHS {
        for media_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/xml",
            "text/json",
            "application/problem+json",
            "application/json; charset=utf-7",
            "application/json; charset=utf-16",
            "application/json; charset=\"ISO-8859-1\"",
            "application/json; CHARSET=latin1; version=1",
            "application/json; charset=utf-8; charset=utf-16",
            "application/json; charset=",
            "application/json; charset",
            "application/json; charset=\"utf-8",
            "application/json, text/plain",
            "application/jsonp",
            "application",
            "",
        ] {
            let response = app.post(path).text(media_type, body).send().await;
            response.is_problem(415, "unsupported_media_type");
            // RFC 9110 section 12.5.3: only a response about a content coding has this header.
            assert!(!response.headers.contains_key("accept-encoding"), "{media_type}");
        }
        app.post(path).send().await.is_problem(415, "unsupported_media_type");
    }
    assert_eq!(app.count("user").await, 0);
}

#[apply(trial)]
async fn json_with_a_charset_is_accepted() {
    let app = TestApp::new().await;
    for (number, media_type) in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
        "application/json; charset=utf8",
        "application/json;",
        "application/json; ",
        "application/json ; ; charset=utf-8",
        "application/json; version=1",
        "application/json; profile=\"a;charset=b\"; charset=utf-8",
        "application/json; odata.metadata=minimal;streaming",
    ]
    .into_iter()
    .enumerate()
    {
        let body = format!(r#"{{"username": "user{number}", "password": "my_password"}}"#);
        assert_eq!(app.post("/register").text(media_type, body).send().await.status, 201, "{media_type}");
    }
}

/// The first two bytes of a body in gzip are not JSON, so only the status says what to change.
#[apply(trial)]
async fn compressed_bodies_are_415_with_the_accepted_coding() {
    let app = TestApp::new().await;
    let gzip = [0x1f, 0x8b, 0x08, 0x00];
    for path in PATHS.into_iter().chain(["/token/refresh", "/token/revoke"]) {
        for codings in ["gzip", "GZIP", "br", "deflate", "zstd", "x-unknown", "identity, gzip", "gzip, identity"] {
            let call = app.post(path).header("content-encoding", codings).text("application/json", gzip);
            let response = call.send().await;
            response.is_problem(415, "unsupported_media_type");
            assert_eq!(response.header("accept-encoding"), "identity", "{codings}");
            assert!(response.body["detail"].as_str().unwrap().contains("without compression"), "{response:?}");
        }
        let call = app.post(path).header("content-encoding", "identity").header("content-encoding", "gzip");
        let response = call.text("application/json", gzip).send().await;
        assert_eq!((response.status, response.header("accept-encoding")), (415, "identity"));
    }
    assert_eq!(app.count("user").await, 0);
}

#[apply(trial)]
async fn identity_is_no_content_coding() {
    let app = TestApp::new().await;
    for (number, codings) in ["identity", "Identity", "", "identity, identity"].into_iter().enumerate() {
        let body = json!({ "username": format!("user{number}"), "password": "my_password" });
        let call = app.post("/register").header("content-encoding", codings);
        assert_eq!(call.json(&body).send().await.status, 201, "{codings:?}");
    }
}

#[apply(trial)]
async fn operations_without_a_body_ignore_its_headers() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let token = app.access_token("john", "my_password").await;
    for (method, path, status) in [("GET", "/me", 200), ("DELETE", "/me/sessions", 204), ("POST", "/logout", 204)] {
        let call = app.call(method, path).bearer(&token).header("content-encoding", "gzip");
        assert_eq!(call.header("content-type", "text/plain").send().await.status, status, "{method} {path}");
    }
}

#[apply(trial)]
async fn large_bodies_are_413_with_and_without_a_length_t6() {
    let app = TestApp::new().await;
    let body = json!({ "username": "john", "password": "x".repeat(1_000_000) });
    for path in PATHS {
        app.post(path).json(&body).send().await.is_problem(413, "body_too_large");
        app.post(path).json(&body).chunked().send().await.is_problem(413, "body_too_large");
    }
    let small = json!({ "username": "john", "password": "my_password" });
    assert_eq!(app.post("/register").json(&small).chunked().send().await.status, 201);
}

/// The service responds to a client that never stops sending, and then stops reading.
#[apply(trial)]
async fn endless_body_is_not_read_to_its_end_s75_t6() {
    const PIECE: usize = 64 * 1024;
    let app = TestApp::new().await;
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let head = "POST /login HTTP/1.1\r\nhost: vestibule\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let piece = [format!("{PIECE:x}\r\n").as_bytes(), &vec![b' '; PIECE], b"\r\n"].concat();
    let mut sent = 0;
    while let Ok(Ok(())) = timeout(Duration::from_secs(2), stream.write_all(&piece)).await {
        sent += PIECE;
        assert!(sent < 64 * 1024 * 1024, "{sent} bytes were read");
    }
    let (mut response, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(Ok(length @ 1..)) = timeout(Duration::from_secs(2), stream.read(&mut buffer)).await {
        response.extend_from_slice(&buffer[..length]);
    }
    // The response may be lost if the service closes the connection first.
    assert!(response.is_empty() || response.starts_with(b"HTTP/1.1 413 "), "{}", String::from_utf8_lossy(&response));
    assert_eq!(app.get("/.well-known/jwks.json").send().await.status, 200);
}

#[apply(trial)]
async fn input_is_never_echoed() {
    let app = TestApp::new().await;
    let canary = "canary-7c1f";
    for body in [
        format!(r#"{{"username": "{canary}", "password": 5, "password": "{canary}"}}"#),
        format!(r#"{{"username": 5, "password": "{}"}}"#, canary.repeat(30)),
        format!(r#"{{"username": "john", "password": "{canary}"#),
        format!(r#"{{"username": "{canary} {canary}", "password": "{canary}"}}"#),
    ] {
        for path in PATHS {
            let response = app.post(path).text("application/json", body.clone()).send().await;
            assert!(!response.text.contains(canary), "{response:?}");
        }
    }
}

#[apply(trial)]
async fn deeply_nested_bodies_are_rejected() {
    let usual = TestApp::new().await;
    let roomy = TestApp::builder().setting("server.max_body_size", "1MiB").start().await;
    for bracket in ["[", "{\"a\":"] {
        let body = bracket.repeat(100_000);
        for path in PATHS {
            usual.post(path).text("application/json", body.clone()).send().await.is_problem(413, "body_too_large");
            roomy.post(path).text("application/json", body.clone()).send().await.is_problem(400, "malformed_request");
        }
    }
}

#[apply(trial)]
async fn error_responses_stay_small() {
    let app = TestApp::new().await;
    let members: Vec<_> = (0..1500).map(|number| format!("\"m{number}\":0")).collect();
    let long = format!("{{\"{}\":0}}", "x".repeat(10_000));
    for body in [format!("{{{}}}", members.join(",")), long] {
        let response = app.post("/login").text("application/json", body).send().await;
        response.is_problem(400, "invalid_request");
        assert!(response.text.len() < 4096 && response.errors().len() <= 16, "{response:?}");
    }
}
