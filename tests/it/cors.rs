//! CORS (S84): disabled by default, and allowed only for listed origins, which must match exactly.

use serde_json::json;

use crate::support::{TestApp, client::TestResponse};

const LISTED: &str = "https://app.example";

async fn app_with_listed_origins() -> TestApp {
    TestApp::builder().setting("server.cors_origins", format!("http://localhost:3000,{LISTED}")).start().await
}

/// Sends the preflight request of a browser.
async fn preflight(app: &TestApp, origin: &str, path: &str) -> TestResponse {
    let call = app.call("OPTIONS", path).header("origin", origin);
    call.header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type")
        .send()
        .await
}

fn has_cors_headers(response: &TestResponse) -> bool {
    response.headers.keys().any(|name| name.as_str().starts_with("access-control-"))
}

#[apply(trial)]
async fn cors_is_disabled_by_default_s84() {
    let app = TestApp::new().await;
    let response = preflight(&app, LISTED, "/login").await;
    assert_eq!((response.status, response.header("allow"), response.header("vary")), (405, "POST", ""));
    assert!(!has_cors_headers(&response));
    let response = app.get("/.well-known/jwks.json").header("origin", LISTED).send().await;
    assert!(!has_cors_headers(&response) && response.header("vary").is_empty());
}

#[apply(trial)]
async fn listed_origins_are_allowed_s84() {
    let app = app_with_listed_origins().await;
    for origin in [LISTED, "http://localhost:3000"] {
        for (path, methods) in [("/login", "POST"), ("/me/sessions", "DELETE, GET, HEAD"), ("/me", "GET, HEAD")] {
            let response = preflight(&app, origin, path).await;
            assert_eq!((response.status, response.header("access-control-allow-origin")), (204, origin), "{path}");
            assert_eq!(response.header("access-control-allow-methods"), methods, "{path}");
            assert_eq!(response.header("access-control-allow-headers"), "authorization, content-type");
            assert_eq!(response.header("access-control-max-age"), "600");
            assert_eq!(response.header("vary"), "origin");
        }
        let body = json!({ "username": "nobody", "password": "my_password" });
        let response = app.post("/login").header("origin", origin).json(&body).send().await;
        response.is_problem(401, "invalid_credentials");
        assert_eq!(response.header("access-control-allow-origin"), origin);
        let exposed = "x-request-id, retry-after, www-authenticate, location";
        assert_eq!((response.header("access-control-expose-headers"), response.header("vary")), (exposed, "origin"));
        assert!(!response.headers.contains_key("access-control-allow-credentials"));
    }
    assert_eq!(preflight(&app, LISTED, "/docs").await.status, 204);
    assert_eq!(preflight(&app, LISTED, "/nothing").await.status, 404);
    let plain = app.call("OPTIONS", "/login").header("origin", LISTED).send().await;
    assert_eq!((plain.status, plain.header("allow")), (405, "POST"));
}

#[apply(trial)]
async fn preflight_for_disabled_documentation_is_404() {
    let app = TestApp::builder().setting("server.cors_origins", LISTED).setting("docs.enabled", "false").start().await;
    for path in ["/docs", "/openapi.json"] {
        preflight(&app, LISTED, path).await.is_problem(404, "not_found");
    }
}

#[apply(trial)]
async fn unlisted_origins_are_not_allowed_s84() {
    let app = app_with_listed_origins().await;
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
        let response = preflight(&app, origin, "/login").await;
        assert!(response.status == 405 && !has_cors_headers(&response), "{origin}: {response:?}");
        let response = app.get("/.well-known/jwks.json").header("origin", origin).send().await;
        assert!(
            response.status == 200 && !has_cors_headers(&response) && response.header("vary") == "origin",
            "{origin}"
        );
    }
    let two = app.get("/me").header("origin", LISTED).header("origin", "https://evil.example").send().await;
    assert!(!has_cors_headers(&two));
}
