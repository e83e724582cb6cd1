//! What happens before and around every operation of the document.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{
    Fault, TestApp,
    app::Tokens,
    client::Call,
    contract::{OperationInfo, operations},
};

/// Builds a request that reaches the operation's handler unless a token is required.
fn call(app: &TestApp, operation: &OperationInfo) -> Call {
    let call = app.call(&operation.method, &operation.url);
    match &operation.example {
        Some(body) => call.json(body),
        None => call,
    }
}

/// Builds the same request with the tokens of a signed-in user.
fn call_as(app: &TestApp, operation: &OperationInfo, tokens: &Tokens) -> Call {
    let mut operation = operation.clone();
    if let Some(body) = operation.example.as_mut().and_then(Value::as_object_mut)
        && body.contains_key("refresh_token")
    {
        body.insert("refresh_token".to_owned(), tokens.refresh.clone().into());
    }
    with_token(call(app, &operation), &operation, tokens)
}

fn with_token(call: Call, operation: &OperationInfo, tokens: &Tokens) -> Call {
    if operation.requires_token { call.bearer(&tokens.access) } else { call }
}

#[apply(trial)]
async fn every_operation_rejects_requests_that_are_too_large() {
    let app = TestApp::new().await;
    for OperationInfo { method, url: path, .. } in operations() {
        let call = |path: &str| app.call(&method, path);
        let long = format!("{path}?{}", "x".repeat(8 * 1024));
        call(&path)
            .text("application/json", vec![b'x'; 16 * 1024 + 1])
            .record()
            .send()
            .await
            .is_problem(413, "body_too_large");
        call(&long).record().send().await.is_problem(414, "uri_too_long");
        call(&path).header("x-large", vec![b'x'; 33 * 1024]).record().send().await.is_problem(431, "headers_too_large");
        let many = (0..100).fold(call(&path), |call, number| call.header(&format!("x-{number}"), "1"));
        many.send().await.is_problem(431, "headers_too_large");
    }
}

#[apply(trial)]
async fn every_operation_rejects_two_host_headers_s79() {
    let app = TestApp::new().await;
    for OperationInfo { method, url, .. } in operations() {
        let call = app.call(&method, &url).header("host", "vestibule").header("host", "other");
        let response = call.record().send().await;
        response.is_problem(400, "bad_framing");
        assert_eq!(response.header("connection"), "close");
    }
}

#[apply(trial)]
async fn every_operation_survives_a_panic() {
    let app = TestApp::builder().fault(Fault::Panic).start().await;
    for operation in operations() {
        call(&app, &operation).record().send().await.is_problem(500, "internal");
    }
}

#[apply(trial)]
async fn every_operation_times_out() {
    let app = TestApp::builder().fault(Fault::Stall).start().await;
    for operation in operations() {
        let response = call(&app, &operation).record().send().await;
        response.is_problem(503, "timed_out");
        assert_eq!(response.header("retry-after"), "1");
    }
}

#[apply(trial)]
async fn missing_and_invalid_tokens_have_different_problem_codes() {
    let app = TestApp::new().await;
    for operation in operations().iter().filter(|operation| operation.requires_token) {
        let response = call(&app, operation).record().send().await;
        assert_eq!((response.status, response.code()), (401, "missing_token"), "{}", operation.id);
        let response = call(&app, operation).bearer("nonsense").record().send().await;
        assert_eq!((response.status, response.code()), (401, "invalid_token"), "{}", operation.id);
    }
}

#[apply(trial)]
async fn every_operation_validates_its_body_strictly() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    for operation in operations() {
        let Some(example) = &operation.example else { continue };
        let call = || with_token(app.call(&operation.method, &operation.url), &operation, &tokens);
        let text = call().text("application/json", "{").record().send().await;
        text.is_problem(400, "malformed_request");
        let other = call().text("text/plain", example.to_string()).record().send().await;
        other.is_problem(415, "unsupported_media_type");
        call().json(&json!({ "made_up": 5 })).record().send().await.is_problem(400, "invalid_request");
        for name in example.as_object().unwrap().keys() {
            for odd in [Value::Null, 5.into(), json!([]), json!({})] {
                let mut body = example.clone();
                body[name] = odd;
                let response = call().json(&body).send().await;
                response.is_problem(400, "invalid_request");
                let pointer = format!("/{name}");
                assert!(response.errors().contains(&(pointer, "wrong_type".to_owned())), "{}: {body}", operation.id);
            }
        }
    }
    assert!(app.accepts(&tokens.access).await, "nothing must change");
}

#[apply(trial)]
async fn every_operation_without_its_database_is_503() {
    let in_memory = |operation: &&OperationInfo| operation.id == "getJwks";
    let unavailable = |operation: &&OperationInfo| operation.codes.contains("unavailable");
    for operation in operations().iter().filter(unavailable).filter(|operation| !in_memory(operation)) {
        let app = TestApp::new().await;
        app.create_user("jane", "my_password").await;
        let tokens = app.sign_in("jane", "my_password").await;
        app.app.db.close().await.unwrap();
        call_as(&app, operation, &tokens).send().await.is_problem(503, "unavailable");
    }
}

#[apply(trial)]
async fn full_queue_is_recorded_as_an_example() {
    for operation in operations().iter().filter(|operation| operation.codes.contains("busy")) {
        let app = TestApp::builder().slow_hashing().start().await;
        app.create_user("jane", "my_password").await;
        let tokens = app.sign_in("jane", "my_password").await;
        app.fill_queue().await;
        let response = call_as(&app, operation, &tokens).record().send().await;
        response.is_problem(503, "busy");
        assert_eq!(response.header("retry-after"), "30", "{}", operation.id);
    }
}

#[apply(trial)]
async fn every_rate_limit_is_recorded_as_an_example() {
    for operation in operations().iter().filter(|operation| operation.codes.contains("too_many_requests")) {
        let app = TestApp::builder()
            .setting("limits.login_burst", 4)
            .setting("limits.registrations_per_hour", 4)
            .setting("limits.rejected_refreshes_per_minute", 4)
            .start()
            .await;
        app.create_user("jane", "my_password").await;
        let tokens = app.sign_in("jane", "my_password").await;
        let call = || with_token(call(&app, operation), operation, &tokens);
        let mut number = 0;
        while call().send().await.status != 429 {
            number += 1;
            assert!(number < 10, "{}", operation.id);
        }
        let response = call().record().send().await;
        response.is_problem(429, "too_many_requests");
        assert!(response.header("retry-after").parse::<u32>().unwrap() > 0);
    }
}

#[apply(trial)]
async fn unknown_paths_are_404() {
    let app = TestApp::new().await;
    for path in [
        "/nothing",
        "/login/",
        "/LOGIN",
        "/me/",
        "/me/sessions/",
        "/me/sessions/x/y",
        "/%ff%fe",
        "/..%2f",
        "/.well-known",
        "//login",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            app.call(method, path).send().await.is_problem(404, "not_found");
        }
    }
    let closed = TestApp::builder().setting("docs.enabled", "false").start().await;
    for path in ["/docs", "/docs/init.js", "/openapi.json", "/openapi.yaml"] {
        closed.get(path).send().await.is_problem(404, "not_found");
    }
}

#[apply(trial)]
async fn other_methods_are_405_with_allow() {
    let app = TestApp::new().await;
    for (path, method, allow) in [
        ("/login", "GET", "POST"),
        ("/login", "HEAD", "POST"),
        ("/login", "TRACE", "POST"),
        ("/login", "OPTIONS", "POST"),
        ("/login", "BREW", "POST"),
        ("/me", "POST", "GET, HEAD"),
        ("/me", "TRACE", "GET, HEAD"),
        ("/.well-known/jwks.json", "PUT", "GET, HEAD"),
        ("/docs", "POST", "GET, HEAD"),
        ("/openapi.json", "PATCH", "GET, HEAD"),
    ] {
        let response = app.call(method, path).header("x-http-method-override", "POST").send().await;
        assert_eq!((response.status, response.header("allow")), (405, allow), "{method} {path}");
    }
}

#[apply(trial)]
async fn head_is_accepted_wherever_get_is() {
    let app = TestApp::new().await;
    for path in ["/.well-known/jwks.json", "/docs", "/openapi.json"] {
        assert_eq!(app.call("HEAD", path).send().await.status, 200, "{path}");
    }
    assert_eq!(app.call("HEAD", "/me").send().await.status, 401);
}

#[apply(trial)]
async fn every_response_has_security_headers() {
    let app = TestApp::new().await;
    for path in ["/me", "/nothing", "/docs", "/openapi.json", "/.well-known/jwks.json", "/login"] {
        let response = app.get(path).send().await;
        assert_eq!(response.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(response.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(response.header("cross-origin-resource-policy"), "same-origin", "{path}");
        assert!(response.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert!(response.header("server").is_empty(), "{path}");
    }
}

#[apply(trial)]
async fn hsts_header_is_sent_only_if_the_public_url_is_https_s83() {
    for (url, expected) in [("https://login.example", "max-age=31536000"), ("http://login.example", "")] {
        let app = TestApp::builder().setting("server.public_url", url).start().await;
        for path in ["/.well-known/jwks.json", "/me", "/nothing", "/login", "/docs"] {
            let response = app.get(path).send().await;
            assert_eq!(response.header("strict-transport-security"), expected, "{path}");
            assert!(response.status == 200 || response.status >= 400, "{path} redirects");
        }
    }
}

#[apply(trial)]
async fn http_2_is_served_without_tls() {
    let app = TestApp::new().await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let response = client.get(format!("http://{}/.well-known/jwks.json", app.address)).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, reqwest::Version::HTTP_2));
}

#[apply(trial)]
async fn connections_beyond_the_limit_wait() {
    let app = TestApp::builder().setting("server.max_connections", "1").start().await;
    let first = TcpStream::connect(app.address).await.unwrap();
    let waiting = app.get("/.well-known/jwks.json").send();
    tokio::pin!(waiting);
    let early = tokio::time::timeout(std::time::Duration::from_millis(200), &mut waiting).await;
    assert!(early.is_err(), "served beyond the connection limit");
    drop(first);
    assert_eq!(waiting.await.status, 200);
}

#[apply(trial)]
async fn shutdown_lets_requests_finish() {
    let app = TestApp::new().await;
    let body = r#"{"username": "john", "password": "my_password"}"#;
    let head = format!(
        "POST /register HTTP/1.1\r\nhost: vestibule\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         expect: 100-continue\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut buffer = vec![0; 4096];
    let length = stream.read(&mut buffer).await.unwrap();
    assert!(buffer[..length].starts_with(b"HTTP/1.1 100 "), "the request is being served");
    app.stop();
    while TcpStream::connect(app.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 201 "), "{response}");
}
