//! The log of a server at its most verbose level: it contains no secrets, and each event is one record, whatever
//! clients send. The suffix of a test name is the ID of the security check that it covers.

use std::fs::File;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{
    app::Tokens,
    client::{Call, percent_encoded},
    process::{Deployment, Server},
};

/// A password that occurs nowhere else.
const PASSWORD: &str = "canary-5f0b2c of a password";
const NEW_PASSWORD: &str = "canary-93d1aa of another one";
const WRONG: &str = "canary-77e640 of a wrong one";
/// Texts that occur in the log only if a request body, a stored hash, a token or a key was logged.
const FORBIDDEN_TEXTS: [&str; 7] = ["canary-", "odd-member", "$argon2id$", "vst_r_", "eyJ", "PRIVATE KEY", "canary%2D"];

fn server(deployment: &Deployment, format: &str) -> Server {
    let mut command = deployment.command();
    command.env("VESTIBULE_LOG__FILTER", "trace").env("VESTIBULE_LOG__FORMAT", format);
    Server::start(command)
}

/// Sends valid and invalid requests of every kind.
async fn send_all_requests(server: &Server) -> Vec<Tokens> {
    let post = |path: &str, body: &Value| server.call("POST", path).json(body);
    let user = json!({ "username": "john", "password": PASSWORD });
    assert_eq!(post("/register", &user).send().await.status, 201);
    post("/register", &user).send().await.is_problem(409, "username_taken");
    post("/register", &json!({ "username": "jane", "password": "password1" })).send().await;
    post("/login", &json!({ "username": "john", "password": WRONG })).send().await;
    post("/login", &json!({ "username": PASSWORD, "password": 5, "odd-member": WRONG })).send().await;
    server.call("POST", "/login").text("application/json", format!("{{\"password\": \"{PASSWORD}")).send().await;
    let first = Tokens::of(&post("/login", &user).send().await);
    let second = Tokens::of(&post("/token/refresh", &json!({ "refresh_token": first.refresh })).send().await);
    let third = Tokens::of(&post("/token/refresh", &json!({ "refresh_token": second.refresh })).send().await);
    let me = |token: &str| server.call("GET", &format!("/me?access_token={token}")).bearer(token);
    assert_eq!(me(&third.access).send().await.status, 200);
    assert_eq!(me(WRONG).send().await.status, 401);
    let change = json!({ "current_password": PASSWORD, "new_password": NEW_PASSWORD });
    assert_eq!(post("/me/password", &change).bearer(&third.access).send().await.status, 204);
    post("/me/password", &change).bearer(&third.access).send().await.is_problem(401, "invalid_credentials");
    // Reuses an old refresh token, which is logged.
    assert_eq!(post("/token/refresh", &json!({ "refresh_token": first.refresh })).send().await.status, 401);
    assert_eq!(post("/token/revoke", &json!({ "refresh_token": third.refresh })).send().await.status, 204);
    vec![first, second, third]
}

/// Signs in and sends a request over HTTP/2, whose library logs more.
async fn log_in_over_http_2(server: &Server) -> Tokens {
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}", server.address());
    let body = json!({ "username": "john", "password": NEW_PASSWORD });
    let response = client.post(format!("{url}/login")).json(&body).send().await.unwrap();
    let response: Value = response.json().await.unwrap();
    let tokens = ["access_token", "refresh_token"].map(|name| response[name].as_str().unwrap().to_owned());
    let cookie = format!("session={}", tokens[1]);
    let me = client.get(format!("{url}/me")).bearer_auth(&tokens[0]).header("cookie", cookie).send().await.unwrap();
    assert_eq!(me.status(), 200);
    let [access, refresh] = tokens;
    Tokens { access, refresh }
}

/// Returns the texts that must not occur in the log: the secret itself and its last 40 characters.
fn forbidden_parts(secret: &str) -> [&str; 2] {
    [secret, &secret[secret.len() - 40..]]
}

#[apply(trial)]
async fn no_secret_is_logged_at_any_level_s69_s112() {
    for format in ["text", "json"] {
        let deployment = Deployment::new().await;
        let server = server(&deployment, format);
        let mut tokens = send_all_requests(&server).await;
        tokens.push(log_in_over_http_2(&server).await);
        let mut output = server.welcome.clone();
        output += &server.stop();
        output += &deployment.logs();
        assert!(
            output.contains("TRACE") && output.contains("refresh_token_reused"),
            "not everything was logged: {output}"
        );
        let master = deployment.master_key();
        let secrets = tokens.iter().flat_map(|tokens| [&tokens.access, &tokens.refresh]).chain([&master]);
        let bytes = URL_SAFE_NO_PAD.decode(&master).unwrap();
        for trace in secrets.flat_map(|secret| forbidden_parts(secret)).chain(FORBIDDEN_TEXTS) {
            let line = output.lines().find(|line| line.contains(trace));
            assert_eq!(line, None, "{trace}");
        }
        assert!(!output.contains(&format!("{bytes:?}")), "the master key as bytes");
        // SQLite has no password.
        if let Some(password) = url::Url::parse(&deployment.url).unwrap().password() {
            let line = output.lines().find(|line| line.contains(password));
            assert_eq!(line, None, "the password of the database URL");
        }
    }
}

/// Returns requests with line breaks, terminal escapes and quotes, as far as HTTP lets them through.
fn odd_requests(server: &Server) -> Vec<Call> {
    let odd = "x\r\n2030-01-01T00:00:00Z ERROR forged\u{1b}[31m\",\"level\":\"ERROR\",\"x\":\"\u{2028}\u{85}";
    let escaped = percent_encoded(odd);
    let body = json!({ "username": odd, "password": odd });
    let agent = b"x\" \tlevel=ERROR forged \xc2\x85 \xff{}";
    vec![
        server.call("POST", "/login").json(&body),
        server.call("POST", "/register").json(&body),
        server.call("POST", "/token/refresh").json(&json!({ "refresh_token": odd })),
        server.call("GET", &format!("/me/{escaped}?{escaped}")),
        server.call("GET", "/me/\"level\":\"ERROR\"forged").header("user-agent", agent),
        server.call("GET", "/me").header("authorization", agent).header("x-forwarded-for", agent),
        server.call("BREW'FORGED", "/me"),
    ]
}

#[apply(trial)]
async fn each_log_record_stays_on_one_line_s115() {
    let begins = regex::Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z +(TRACE|DEBUG|INFO|WARN|ERROR) ").unwrap();
    for format in ["text", "json"] {
        let deployment = Deployment::new().await;
        let server = server(&deployment, format);
        for call in odd_requests(&server) {
            assert!(call.send().await.status >= 400);
        }
        server.stop();
        let logs = deployment.logs();
        for line in logs.lines() {
            assert!(!line.chars().any(|letter| letter.is_control() || letter == '\u{2028}'), "{line:?}");
            if format == "json" {
                let record: Value = serde_json::from_str(line).unwrap();
                assert_ne!(record["level"], "ERROR", "{line}");
            } else {
                let found = begins.captures(line).unwrap_or_else(|| panic!("no record starts here: {line:?}"));
                assert_ne!(&found[1], "ERROR", "{line}");
            }
        }
        assert!(logs.matches("request completed").count() >= 7, "{logs}");
    }
}

#[apply(trial)]
async fn unwritable_log_fails_no_request() {
    let deployment = Deployment::new().await;
    let mut command = deployment.command();
    command.env("VESTIBULE_LOG__FILTER", "trace").stderr(File::options().write(true).open("/dev/full").unwrap());
    let server = Server::start(command);
    for _ in 0..3 {
        assert_eq!(server.call("GET", "/health/ready").send().await.status, 200);
    }
    server.stop();
}
