//! CORS (S84): disabled by default, and allowed only for listed origins, which must match exactly. Public metadata is
//! readable from every origin.

use serde_json::json;

use crate::support::{TestApp, client::TestResponse};

const LISTED: &str = "https://app.example";
/// The request headers that every listed origin may send.
const ALLOWED_HEADERS: &str = "authorization, content-type, traceparent, tracestate, baggage, sentry-trace";
const JWKS: &str = "/.well-known/jwks.json";

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
    let response = app.get("/health/live").header("origin", LISTED).send().await;
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
            assert_eq!(response.header("access-control-allow-headers"), ALLOWED_HEADERS);
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
        let response = app.get("/health/live").header("origin", origin).send().await;
        assert!(
            response.status == 200 && !has_cors_headers(&response) && response.header("vary") == "origin",
            "{origin}"
        );
    }
    let two = app.get("/me").header("origin", LISTED).header("origin", "https://evil.example").send().await;
    assert!(!has_cors_headers(&two));
}

/// Returns whether pages of an origin may log in.
async fn allows(app: &TestApp, origin: &str) -> bool {
    let response = preflight(app, origin, "/login").await;
    let allowed = response.status == 204;
    assert_eq!(response.header("access-control-allow-origin"), if allowed { origin } else { "" });
    allowed
}

#[apply(trial)]
async fn page_that_traces_may_log_in_s84() {
    let app = app_with_listed_origins().await;
    let preflight = app.call("OPTIONS", "/login").header("origin", LISTED);
    let preflight = preflight.header("access-control-request-method", "POST");
    let requested = "baggage,content-type,sentry-trace,traceparent,tracestate";
    let response = preflight.header("access-control-request-headers", requested).send().await;
    let allowed = response.header("access-control-allow-headers").split(", ").collect::<Vec<_>>();
    assert!(requested.split(',').all(|name| allowed.contains(&name)), "{allowed:?}");
}

#[apply(trial)]
async fn configured_headers_are_allowed_in_addition_s84() {
    let app = TestApp::builder()
        .setting("server.cors_origins", LISTED)
        .setting("server.cors_headers", "X-Requested-With, x-datadog-trace-id")
        .start()
        .await;
    let response = preflight(&app, LISTED, "/login").await;
    let expected = format!("{ALLOWED_HEADERS}, x-requested-with, x-datadog-trace-id");
    assert_eq!(response.header("access-control-allow-headers"), expected);
}

#[apply(trial)]
async fn origins_of_apps_are_compared_exactly_s84() {
    let listed = ["capacitor://localhost", "tauri://localhost", "ionic://localhost", "app://.", "app://shell:8080"];
    let extensions = ["chrome-extension://abcdefghijklmnopabcdefghijklmnop", "moz-extension://0d9b8a57-5b35-4d1c"];
    let origins = [listed.as_slice(), &extensions].concat();
    let app = TestApp::builder().setting("server.cors_origins", origins.join(",")).start().await;
    for origin in origins {
        assert!(allows(&app, origin).await, "{origin}");
        let response = app.get("/me").header("origin", origin).send().await;
        assert_eq!((response.status, response.header("access-control-allow-origin")), (401, origin));
    }
    for origin in [
        "capacitor://localhost:1",
        "capacitor://localhost/",
        "capacitor://LOCALHOST",
        "CAPACITOR://localhost",
        "capacitor://localhost.evil.example",
        "http://localhost",
        "app://shell",
        "chrome-extension://abcdefghijklmnopabcdefghijklmnoq",
        "null",
    ] {
        assert!(!allows(&app, origin).await, "{origin}");
    }
}

#[apply(trial)]
async fn wildcard_stands_for_exactly_one_label_s84() {
    let patterns = "https://*.preview.example.com,http://*.dev.example.com:8080";
    let app = TestApp::builder().setting("server.cors_origins", patterns).start().await;
    for origin in
        ["https://pr-17.preview.example.com", "https://a.preview.example.com", "http://x.dev.example.com:8080"]
    {
        assert!(allows(&app, origin).await, "{origin}");
    }
    for origin in [
        "https://preview.example.com",
        "https://.preview.example.com",
        "https://a.b.preview.example.com",
        "https://*.preview.example.com",
        "https://evil.com/.preview.example.com",
        "https://evil.com#.preview.example.com",
        "https://evil.com:80.preview.example.com",
        "https://user@.preview.example.com",
        "https://a.preview.example.com.evil.com",
        "https://a.preview.example.com:8443",
        "https://a.preview.example.com/",
        "https://evilpreview.example.com",
        "https://A.preview.example.com",
        "http://a.preview.example.com",
        "http://x.dev.example.com",
        "https://x.dev.example.com:8080",
    ] {
        assert!(!allows(&app, origin).await, "{origin}");
    }
    let two = app.get("/me").header("origin", "https://a.preview.example.com").header("origin", "https://evil.com");
    assert!(!has_cors_headers(&two.send().await));
}

#[apply(trial)]
async fn public_metadata_is_readable_from_any_origin_s84() {
    for app in [TestApp::new().await, app_with_listed_origins().await] {
        for origin in ["https://anywhere.example", "null", LISTED] {
            let response = app.get(JWKS).header("origin", origin).send().await;
            let allowed = response.header("access-control-allow-origin");
            // The response does not depend on the origin, so shared caches may reuse it for every page.
            assert_eq!((response.status, allowed, response.header("vary")), (200, "*", ""), "{origin}");
            assert!(!response.headers.contains_key("access-control-allow-credentials"));

            let preflight = app.call("OPTIONS", JWKS).header("origin", origin);
            let preflight = preflight.header("access-control-request-method", "GET");
            let response = preflight.header("access-control-request-headers", "traceparent").send().await;
            assert_eq!((response.status, response.header("access-control-allow-origin")), (204, "*"), "{origin}");
            assert_eq!(response.header("access-control-allow-methods"), "GET, HEAD");
            assert_eq!(response.header("access-control-allow-headers"), ALLOWED_HEADERS);
        }
        assert_eq!(app.get(JWKS).send().await.header("access-control-allow-origin"), "*", "a cache may reuse it");
        assert_eq!(app.call("OPTIONS", JWKS).send().await.status, 405, "not a preflight");
        assert_eq!(app.get("/.well-known/other").header("origin", LISTED).send().await.status, 404);
    }
}
