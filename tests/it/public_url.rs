//! The public URL with a path: a proxy may keep the path or remove it, and every link that the service sends works with
//! both.

use serde_json::json;

use crate::support::{TestApp, app::Tokens, process::vestibule};

/// Starts a service whose public URL has this path.
async fn start_below(path: &str) -> TestApp {
    TestApp::builder().setting("server.public_url", format!("https://example.com{path}")).start().await
}

#[apply(trial)]
async fn routes_answer_with_and_without_the_path_of_the_public_url() {
    let app = start_below("/auth/v1").await;
    for path in ["/health/live", "/openapi.json", "/docs", "/docs/init.js", "/.well-known/jwks.json"] {
        let kept = app.get(path).sent_to(&format!("/auth/v1{path}")).send().await;
        let removed = app.get(path).send().await;
        assert_eq!((kept.status, &kept.text), (200, &removed.text), "{path}");
    }
    app.create_user("john", "my_password").await;
    let credentials = json!({ "username": "john", "password": "my_password" });
    let login = app.post("/login").sent_to("/auth/v1/login").json(&credentials).send().await;
    let token = Tokens::of(&login).access;
    assert_eq!(app.get("/me?a=b").sent_to("/auth/v1/me?a=b").bearer(&token).send().await.body["username"], "john");
}

#[apply(trial)]
async fn only_the_whole_path_of_the_public_url_is_removed() {
    let app = start_below("/auth").await;
    for path in
        ["/authentic/login", "/authhealth/live", "/AUTH/login", "/%61uth/login", "/auth//login", "/auth/auth/login"]
    {
        app.get(path).send().await.is_problem(404, "not_found");
    }
    app.get("/login").sent_to("/auth/login").send().await.is_problem(405, "method_not_allowed");
    TestApp::new().await.get("/login").sent_to("/auth/login").send().await.is_problem(404, "not_found");
}

#[apply(trial)]
async fn a_route_takes_precedence_over_the_path_of_the_public_url() {
    let app = start_below("/health").await;
    assert_eq!(app.get("/health/live").send().await.status, 200);
    assert_eq!(app.get("/health/live").sent_to("/health/health/live").send().await.status, 200);
    app.get("/login").sent_to("/health/login").send().await.is_problem(405, "method_not_allowed");
}

#[apply(trial)]
async fn redirects_and_locations_follow_the_path_of_the_public_url() {
    let app = start_below("/auth").await;
    for path in ["/", "/auth", "/auth/"] {
        let front_page = app.get("/").sent_to(path).send().await;
        assert_eq!((front_page.status, front_page.header("location")), (307, "/auth/docs"), "{path}");
    }
    for (name, path) in [("john", "/register"), ("jane", "/auth/register")] {
        let user = json!({ "username": name, "password": "my_password" });
        let registered = app.post("/register").sent_to(path).json(&user).send().await;
        assert_eq!((registered.status, registered.header("location")), (201, "/auth/me"), "{path}");
    }
}

#[apply(trial)]
async fn front_page_answers_below_the_path_if_documentation_is_off() {
    let builder = TestApp::builder().setting("server.public_url", "https://example.com/auth");
    let app = builder.setting("docs.enabled", "false").start().await;
    for path in ["/", "/auth", "/auth/"] {
        assert_eq!(app.get("/").sent_to(path).send().await.body["name"], "Vestibule", "{path}");
    }
}

#[apply(trial)]
async fn public_url_with_an_empty_path_segment_is_rejected() {
    let folder = tempfile::TempDir::new().unwrap();
    for url in ["https://example.com//evil.example", "https://example.com/auth//"] {
        let output = vestibule(&folder).args(["config", "check"]).env("VESTIBULE_SERVER__PUBLIC_URL", url).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(6), "{url}");
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(message.contains("server.public_url") && message.contains("empty path segments"), "{message}");
    }
}
