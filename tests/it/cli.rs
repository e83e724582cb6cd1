//! The command line, as an operator types it.

use std::{
    io::Write as _,
    process::{Output, Stdio},
};

use sea_orm::{ConnectionTrait as _, EntityTrait as _, PaginatorTrait as _};
use serde_json::Value;
use tempfile::TempDir;
use vestibule::entity::session;

use crate::support::{
    document,
    process::{Deployment, Server, public_vestibule, vestibule},
};

fn run(folder: &TempDir, arguments: &[&str], input: &str) -> Output {
    let mut child = vestibule(folder).args(arguments).stdin(Stdio::piped()).spawn().unwrap();
    // A command that does not read its input closes the pipe early.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    child.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[apply(trial)]
async fn openapi_document_is_printed_without_configuration() {
    let folder = TempDir::new().unwrap();
    let output = vestibule(&folder).env("VESTIBULE_DATABASE__URL", "nonsense").arg("openapi").output().unwrap();
    assert_eq!(stdout(&output), document().yaml);
    assert_eq!(stdout(&run(&folder, &["openapi", "--json"], "")), document().json);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[apply(trial)]
async fn users_can_be_managed_while_the_server_runs() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(vestibule(&folder));
    let url = format!("http://{}", server.address());
    let client = reqwest::Client::new();
    let login = |password: &str| {
        let body = serde_json::json!({ "username": "john", "password": password });
        client.post(format!("{url}/login")).json(&body).send()
    };
    assert!(
        stdout(&run(&folder, &["user", "add", "john", "--password-stdin"], "my_password\n")).contains("was created")
    );
    let token: Value = login("my_password").await.unwrap().json().await.unwrap();
    let me = || client.get(format!("{url}/me")).bearer_auth(token["access_token"].as_str().unwrap()).send();
    assert_eq!(me().await.unwrap().status(), 200);

    let shown: Value = serde_json::from_str(&stdout(&run(&folder, &["user", "show", "JOHN", "--json"], ""))).unwrap();
    let id = shown["id"].as_str().unwrap();
    assert_eq!((&shown["username"], &shown["disabled"]), (&Value::from("john"), &Value::from(false)));
    assert!(stdout(&run(&folder, &["user", "disable", id], "")).contains("was disabled"));
    assert_eq!(me().await.unwrap().status(), 401);
    assert_eq!(login("my_password").await.unwrap().status(), 401);
    assert!(stdout(&run(&folder, &["user", "show", id], "")).contains("disabled"));
    stdout(&run(&folder, &["user", "enable", "john"], ""));
    assert_eq!(login("my_password").await.unwrap().status(), 200);
    stdout(&run(&folder, &["user", "password", "john", "--password-stdin"], "another_password\r\n"));
    assert_eq!(login("my_password").await.unwrap().status(), 401);
    assert_eq!(login("another_password").await.unwrap().status(), 200);
    let list: Value = serde_json::from_str(&stdout(&run(&folder, &["user", "list", "--json"], ""))).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 1);
    stdout(&run(&folder, &["user", "delete", "john"], "yes\n"));
    assert_eq!(login("another_password").await.unwrap().status(), 401);
    assert_eq!(stdout(&run(&folder, &["user", "list"], "")), "");
    assert!(server.stop().contains("has stopped"));
}

#[apply(trial)]
async fn server_removes_expired_sessions() {
    let deployment = Deployment::new().await;
    let [server] = deployment.start_servers();
    let user = serde_json::json!({ "username": "john", "password": "my_password" });
    assert_eq!(server.call("POST", "/register").json(&user).send().await.status, 201);
    for _ in 0..3 {
        assert_eq!(server.call("POST", "/login").json(&user).send().await.status, 200);
    }
    server.kill();
    let db = deployment.connect().await;
    db.execute_unprepared("UPDATE session SET idle_expires_at = 1").await.unwrap();
    // The first start has run this job. Make it due again.
    db.execute_unprepared("UPDATE job SET due_at = 1").await.unwrap();
    let [server] = deployment.start_servers();
    let begun = std::time::Instant::now();
    while session::Entity::find().count(&db).await.unwrap() > 0 {
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{}", deployment.logs());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(server.stop().contains("has stopped"));
}

#[apply(trial)]
async fn exit_codes_are_as_documented() {
    let folder = TempDir::new().unwrap();
    stdout(&run(&folder, &["user", "add", "john", "--password-stdin"], "my_password\n"));
    for (arguments, input, code) in [
        (&["user", "frobnicate"][..], "", 2),
        (&["user", "show", "nobody"], "", 3),
        (&["user", "disable", "nobody"], "", 3),
        (&["user", "add", "JOHN", "--password-stdin"], "my_password\n", 4),
        (&["user", "add", "two words", "--password-stdin"], "my_password\n", 5),
        (&["user", "add", "jane", "--password-stdin"], "password1\n", 5),
        (&["user", "add", "jane", "--password-stdin"], "", 5),
        (&["user", "password", "john", "--password-stdin"], "short\n", 5),
        (&["user", "delete", "john"], "no\n", 5),
        (&["keys", "reset"], "\n", 5),
    ] {
        let output = run(&folder, arguments, input);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
    let help = stdout(&run(&folder, &["--help"], ""));
    assert!((0..=7).chain([130]).all(|code| help.contains(&format!("\n  {code}  "))), "{help}");
}

#[apply(trial)]
async fn first_start_prints_urls_and_next_steps() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(vestibule(&folder));
    let port = server.address().rsplit(':').next().unwrap().to_owned();
    for part in [&format!("http://localhost:{port}\n"), "/docs", "vestibule.db", "POST /register", "vestibule user add"]
    {
        assert!(server.welcome.contains(part), "{part} in {}", server.welcome);
    }
    let rest = server.stop();
    assert!(
        rest.contains("http://localhost:5000; set VESTIBULE_SERVER__PUBLIC_URL"),
        "the issuer of the tokens: {rest}"
    );
    assert!(!rest.contains("anyone can register"), "{rest}");
    let mut command = vestibule(&folder);
    command.env("VESTIBULE_SERVER__PUBLIC_URL", "https://login.example");
    let server = Server::start(command);
    assert!(server.welcome.contains("https://login.example/docs"), "{}", server.welcome);
    assert!(!server.stop().contains("PUBLIC_URL"));
}

#[apply(trial)]
async fn server_warns_about_open_features_on_public_addresses() {
    let folder = TempDir::new().unwrap();
    let mut command = public_vestibule(&folder);
    command.env("VESTIBULE_SERVER__SHUTDOWN_DELAY", "0s");
    let rest = Server::start(command).stop();
    for setting in ["VESTIBULE_REGISTRATION__OPEN=false", "VESTIBULE_DOCS__ENABLED=false"] {
        assert!(rest.contains(setting), "{rest}");
    }
    for (listen, open) in [("0.0.0.0:0", true), ("127.0.0.1:0", false)] {
        let mut command = vestibule(&folder);
        command.env("VESTIBULE_METRICS__LISTEN", listen);
        let rest = Server::start(command).stop();
        assert_eq!(rest.contains("set VESTIBULE_METRICS__LISTEN"), open, "{rest}");
        assert!(!rest.contains("VESTIBULE_DOCS__ENABLED"), "{rest}");
    }
}

#[apply(trial)]
async fn error_for_a_port_in_use_names_the_setting() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = TempDir::new().unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = vestibule(&folder).env("VESTIBULE_SERVER__LISTEN", &address).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(&address) && text.contains("VESTIBULE_SERVER__LISTEN"), "{text}");
}

#[apply(trial)]
async fn keys_can_be_reset_after_the_master_key_is_lost() {
    let folder = TempDir::new().unwrap();
    stdout(&run(&folder, &["user", "add", "john", "--password-stdin"], "my_password\n"));
    let key = folder.path().join("vestibule.key");
    std::fs::remove_file(&key).unwrap();
    let output = run(&folder, &["user", "list"], "");
    assert_eq!(output.status.code(), Some(6));
    assert!(String::from_utf8_lossy(&output.stderr).contains("vestibule keys reset"));
    stdout(&run(&folder, &["keys", "reset", "--yes"], ""));
    assert!(stdout(&run(&folder, &["user", "list"], "")).contains("john"));
    assert!(key.exists());
    let (one, other) =
        (stdout(&run(&folder, &["keys", "generate"], "")), stdout(&run(&folder, &["keys", "generate"], "")));
    assert!(one.len() == 44 && one != other);
}

#[apply(trial)]
async fn simultaneous_first_starts_share_one_key() {
    for migrated in [false, true] {
        let folder = TempDir::new().unwrap();
        if migrated {
            stdout(&run(&folder, &["migrate"], ""));
        }
        let names = ["john", "jane", "jack", "jill", "joan", "jim"];
        let add = |name| {
            let mut child = vestibule(&folder);
            let child = child.args(["user", "add", name, "--password-stdin"]).stdin(Stdio::piped()).spawn();
            let mut child = child.unwrap();
            child.stdin.take().unwrap().write_all(b"my_password\n").unwrap();
            child
        };
        for child in names.map(add) {
            stdout(&child.wait_with_output().unwrap());
        }
        assert_eq!(stdout(&run(&folder, &["user", "list"], "")).lines().count(), names.len());
    }
}

#[apply(trial)]
async fn migrate_creates_the_database() {
    let folder = TempDir::new().unwrap();
    stdout(&run(&folder, &["migrate"], ""));
    stdout(&run(&folder, &["migrate"], ""));
    assert!(folder.path().join("vestibule.db").exists());
}

#[apply(trial)]
async fn audit_log_is_listed_and_verified_s114() {
    let deployment = Deployment::new().await;
    let server = Server::start(deployment.command());
    server.sign_up("john").await;
    assert_eq!(server.log_in("john", "wrong").await.status, 401);
    let audit = |arguments: &[&str]| deployment.command().arg("audit").args(arguments).output().unwrap();
    let listed = |arguments: &[&str]| {
        let events: Value = serde_json::from_str(&stdout(&audit(&[&["list", "--json"], arguments].concat()))).unwrap();
        events.as_array().unwrap().clone()
    };
    let kinds = listed(&[]).iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(kinds, ["audit_log_started", "signing_key_created", "user_created", "login", "login"]);
    let rejected = listed(&["--user", "JOHN", "--kind", "login", "--outcome", "failure", "--limit", "1"]);
    assert_eq!((&rejected[0]["reason"], &rejected[0]["position"]), (&Value::from("wrong_password"), &Value::from(5)));
    assert_eq!(listed(&["--request", rejected[0]["request_id"].as_str().unwrap()]), rejected);
    assert_eq!(listed(&["--user", rejected[0]["user_id"].as_str().unwrap(), "--client-ip", "127.0.0.1"]).len(), 3);
    assert_eq!(listed(&["--since", "2020-01-01", "--until", "2020-01-01T00:00:01Z"]), Vec::<Value>::new());
    let lines = stdout(&audit(&["list"]));
    assert!(
        lines.lines().last().unwrap().contains("login                 failure  reason=wrong_password  user="),
        "{lines}"
    );
    for nonsense in [["--kind", "logins"], ["--since", "yesterday"], ["--session", "1"], ["--client-ip", "here"]] {
        let rejected = audit(&["list", nonsense[0], nonsense[1]]);
        assert_eq!(rejected.status.code(), Some(2), "{nonsense:?}");
    }
    assert_eq!(audit(&["list", "--user", "nobody"]).status.code(), Some(3));

    assert!(stdout(&audit(&["verify"])).starts_with("Verified 5 events, 1 to 5: none was altered."));
    deployment.connect().await.execute_unprepared("DELETE FROM audit_event WHERE position = 4").await.unwrap();
    let found = audit(&["verify"]);
    assert_eq!((found.status.code(), found.stdout.as_slice()), (Some(7), "event 4 was removed\n".as_bytes()));
    assert!(deployment.logs().contains("the audit log was altered"));
    let report: Value = serde_json::from_slice(&audit(&["verify", "--json"]).stdout).unwrap();
    assert_eq!(report["findings"], serde_json::json!(["event 4 was removed"]));
}
