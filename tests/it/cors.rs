//! CORS (S84): disabled by default, and allowed only for listed origins, which must match exactly.

use serde_json::json;

use crate::support::{TestApp, client::Answer};

const LISTED: &str = "https://app.example";

async fn listing() -> TestApp {
    TestApp::builder().setting("server.cors_origins", format!("http://localhost:3000,{LISTED}")).start().await
}

/// Sends the preflight request of a browser.
async fn ask(app: &TestApp, origin: &str, path: &str) -> Answer {
    let call = app.call("OPTIONS", path).header("origin", origin);
    call.header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type")
        .send()
        .await
}

fn names_cors(answer: &Answer) -> bool {
    answer.headers.keys().any(|name| name.as_str().starts_with("access-control-"))
}

#[apply(trial)]
async fn no_page_may_call_by_default_s84() {
    let app = TestApp::new().await;
    let answer = ask(&app, LISTED, "/login").await;
    assert_eq!((answer.status, answer.header("allow"), answer.header("vary")), (405, "POST", ""));
    assert!(!names_cors(&answer));
    let answer = app.get("/.well-known/jwks.json").header("origin", LISTED).send().await;
    assert!(!names_cors(&answer) && answer.header("vary").is_empty());
}

#[apply(trial)]
async fn listed_pages_may_ask_and_read_s84() {
    let app = listing().await;
    for origin in [LISTED, "http://localhost:3000"] {
        for (path, methods) in [("/login", "POST"), ("/me/sessions", "DELETE, GET, HEAD"), ("/me", "GET, HEAD")] {
            let answer = ask(&app, origin, path).await;
            assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, origin), "{path}");
            assert_eq!(answer.header("access-control-allow-methods"), methods, "{path}");
            assert_eq!(answer.header("access-control-allow-headers"), "authorization, content-type");
            assert_eq!(answer.header("access-control-max-age"), "600");
            assert_eq!(answer.header("vary"), "origin");
        }
        let body = json!({ "username": "nobody", "password": "my_password" });
        let answer = app.post("/login").header("origin", origin).json(&body).send().await;
        answer.is_problem(401, "invalid_credentials");
        assert_eq!(answer.header("access-control-allow-origin"), origin);
        let exposed = "x-request-id, retry-after, www-authenticate, location";
        assert_eq!((answer.header("access-control-expose-headers"), answer.header("vary")), (exposed, "origin"));
        assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    }
    assert_eq!(ask(&app, LISTED, "/docs").await.status, 204);
    assert_eq!(ask(&app, LISTED, "/nothing").await.status, 404);
    let plain = app.call("OPTIONS", "/login").header("origin", LISTED).send().await;
    assert_eq!((plain.status, plain.header("allow")), (405, "POST"));
}

#[apply(trial)]
async fn preflight_of_disabled_documentation_is_404() {
    let app = TestApp::builder().setting("server.cors_origins", LISTED).setting("docs.enabled", "false").start().await;
    for path in ["/docs", "/openapi.json"] {
        ask(&app, LISTED, path).await.is_problem(404, "not_found");
    }
}

#[apply(trial)]
async fn other_pages_may_neither_ask_nor_read_s84() {
    let app = listing().await;
    for origin in [
        "https://evil.example",
        "https://evilapp.example",
        "https://app.example.evil.example",
        "https://sub.app.example",
        "http://app.example",
        "https://app.example:443",
        "https://app.example:8443",
        "https://APP.example",
        "HTTPS://app.example",
        "https://app.example/",
        "https://app.example.",
        " https://app.example, https://evil.example",
        "http://localhost:3001",
        "http://localhost",
        "null",
        "*",
        "",
    ] {
        let answer = ask(&app, origin, "/login").await;
        assert!(answer.status == 405 && !names_cors(&answer), "{origin}: {answer:?}");
        let answer = app.get("/.well-known/jwks.json").header("origin", origin).send().await;
        assert!(answer.status == 200 && !names_cors(&answer) && answer.header("vary") == "origin", "{origin}");
    }
    let two = app.get("/me").header("origin", LISTED).header("origin", "https://evil.example").send().await;
    assert!(!names_cors(&two));
}
