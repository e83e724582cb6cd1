//! The client IP: the address of the TCP peer, or the one that trusted proxies report in the header of the setting
//! `server.client_ip_header`.

use serde_json::json;

use crate::support::{TestApp, client::TestResponse, process::Deployment, process::Server};

/// Headers of a request, and the expected client IP.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a str);

/// Returns the client IP of a login with these headers.
async fn client_ip_of(app: &TestApp, headers: &[(&str, &str)]) -> String {
    let body = json!({ "username": "john", "password": "my_password" });
    let login = headers.iter().fold(app.post("/login"), |call, (name, value)| call.header(name, value));
    let response = login.json(&body).send().await;
    let token = response.body["access_token"].as_str().unwrap().to_owned();
    let sessions = app.get("/me/sessions").bearer(&token).send().await;
    let items = sessions.body["items"].as_array().unwrap();
    let current = items.iter().find(|item| item["current"] == true).unwrap();
    current["address"].as_str().unwrap().to_owned()
}

async fn assert_client_ips(app: &TestApp, cases: &[Case<'_>]) {
    app.create_user("john", "my_password").await;
    for (headers, expected) in cases {
        assert_eq!(client_ip_of(app, headers).await, *expected, "{headers:?}");
    }
}

async fn app_behind(networks: &'static [&'static str]) -> TestApp {
    TestApp::builder().setting("server.trusted_proxies", networks.join(",")).start().await
}

/// Starts an app behind proxies that name the client in this header.
async fn app_reading(header: &str) -> TestApp {
    let builder = TestApp::builder().setting("server.trusted_proxies", "127.0.0.0/8,10.0.0.0/8");
    builder.setting("server.client_ip_header", header).start().await
}

#[apply(trial)]
async fn forwarding_headers_from_untrusted_peers_are_ignored_s27_t4() {
    let cases: [Case<'_>; 4] = [
        (&[("x-forwarded-for", "203.0.113.7")], "127.0.0.1"),
        (&[("forwarded", "for=203.0.113.7")], "127.0.0.1"),
        (&[("x-real-ip", "203.0.113.7")], "127.0.0.1"),
        (&[("x-client-ip", "203.0.113.7"), ("true-client-ip", "203.0.113.7")], "127.0.0.1"),
    ];
    assert_client_ips(&TestApp::new().await, &cases).await;
    let elsewhere = app_behind(&["10.0.0.0/8", "128.0.0.0/8", "::1/128"]).await;
    assert_client_ips(&elsewhere, &cases).await;
}

#[apply(trial)]
async fn nearest_untrusted_hop_is_the_client_s27_t4() {
    let app = app_behind(&["127.0.0.0/8", "10.0.0.0/8", "2001:db8:aa::/48"]).await;
    assert_client_ips(
        &app,
        &[
            (&[], "127.0.0.1"),
            (&[("x-forwarded-for", "203.0.113.7")], "203.0.113.7"),
            // What the client itself wrote is leftmost.
            (&[("x-forwarded-for", "8.8.8.8, 203.0.113.7")], "203.0.113.7"),
            (&[("x-forwarded-for", "127.0.0.1, 203.0.113.7")], "203.0.113.7"),
            (&[("x-forwarded-for", "8.8.8.8,203.0.113.7 ,10.1.2.3")], "203.0.113.7"),
            (&[("x-forwarded-for", "203.0.113.7, 10.1.2.3, 2001:db8:aa::1")], "203.0.113.7"),
            (&[("x-forwarded-for", "8.8.8.8"), ("x-forwarded-for", "203.0.113.7")], "203.0.113.7"),
            (&[("x-forwarded-for", "203.0.113.7"), ("x-forwarded-for", "10.1.2.3")], "203.0.113.7"),
            // All hops are proxies: the farthest one is the client.
            (&[("x-forwarded-for", "10.9.9.9, 10.1.2.3")], "10.9.9.9"),
            // An invalid hop ends the search.
            (&[("x-forwarded-for", "")], "127.0.0.1"),
            (&[("x-forwarded-for", "unknown")], "127.0.0.1"),
            (&[("x-forwarded-for", "203.0.113.7, unknown, 10.1.2.3")], "10.1.2.3"),
            (&[("x-forwarded-for", "203.0.113.7,,10.1.2.3")], "10.1.2.3"),
            (&[("x-forwarded-for", "203.0.113.7, \u{ff}"), ("x-forwarded-for", "10.1.2.3")], "10.1.2.3"),
            // Bytes from the client that are not text must not hide what the proxy appends.
            (&[("x-forwarded-for", "\u{ff}, 203.0.113.7")], "203.0.113.7"),
            (&[("x-forwarded-for", "for=203.0.113.7")], "127.0.0.1"),
            (&[("x-forwarded-for", "203.0.113.999")], "127.0.0.1"),
            (&[("x-forwarded-for", "0203.0.113.7")], "127.0.0.1"),
            (&[("x-forwarded-for", "203.0.113.7:99999")], "127.0.0.1"),
            (&[("x-forwarded-for", "localhost")], "127.0.0.1"),
            (&[("x-real-ip", "203.0.113.7")], "127.0.0.1"),
            (&[("forwarded", "for=203.0.113.7")], "127.0.0.1"),
        ],
    )
    .await;
}

#[apply(trial)]
async fn nearest_untrusted_hop_of_forwarded_is_the_client_s27() {
    assert_client_ips(
        &app_reading("forwarded").await,
        &[
            (&[("forwarded", "for=203.0.113.7")], "203.0.113.7"),
            (&[("forwarded", "For=203.0.113.7;proto=http;by=10.0.0.1")], "203.0.113.7"),
            (&[("forwarded", "proto=https; for=203.0.113.7")], "203.0.113.7"),
            (&[("forwarded", "for=8.8.8.8, for=203.0.113.7, for=10.1.2.3")], "203.0.113.7"),
            (&[("forwarded", "for=8.8.8.8"), ("forwarded", "for=203.0.113.7")], "203.0.113.7"),
            (&[("forwarded", "by=\"a,b;c\\\"d\";for=203.0.113.7")], "127.0.0.1"),
            (&[("forwarded", "by=\"a,b;c\";for=203.0.113.7")], "203.0.113.7"),
            (&[("forwarded", "for=8.8.8.8;, for=203.0.113.7;")], "203.0.113.7"),
            (&[("forwarded", ";proto=https; ;for=203.0.113.7")], "203.0.113.7"),
            (&[("forwarded", "for=203.0.113.7, ;")], "127.0.0.1"),
            (&[("forwarded", "for=unknown")], "127.0.0.1"),
            (&[("forwarded", "for=203.0.113.7, for=_hidden, for=10.1.2.3")], "10.1.2.3"),
            (&[("forwarded", "for=203.0.113.7;for=8.8.8.8")], "127.0.0.1"),
            (&[("forwarded", "for = 203.0.113.7")], "127.0.0.1"),
            (&[("forwarded", "203.0.113.7")], "127.0.0.1"),
            (&[("forwarded", "proto=https")], "127.0.0.1"),
            (&[("forwarded", "for=\"203.0.113.7")], "127.0.0.1"),
            // An open quote from the client must not swallow what the proxy appends.
            (&[("forwarded", "for=8.8.8.8;by=\", for=203.0.113.7")], "203.0.113.7"),
            (&[("forwarded", "for=8.8.8.8;by=\", for=\"[2001:db8::7]\"")], "2001:db8::7"),
            (&[("forwarded", "for=8.8.8.8;by=\", by=\"a,b\";for=203.0.113.7, for=10.1.2.3")], "203.0.113.7"),
            (&[("forwarded", "\u{ff}, for=203.0.113.7")], "203.0.113.7"),
            (&[("x-forwarded-for", "203.0.113.7")], "127.0.0.1"),
            (&[("forwarded", "for=8.8.8.8;by=\""), ("forwarded", "for=203.0.113.7")], "203.0.113.7"),
        ],
    )
    .await;
}

#[apply(trial)]
async fn operator_can_name_another_header_s27() {
    // Header names are case-insensitive.
    let app = app_reading("CF-Connecting-IP").await;
    assert_client_ips(
        &app,
        &[
            (&[("cf-connecting-ip", "203.0.113.7")], "203.0.113.7"),
            (&[("cf-connecting-ip", "2001:db8::7")], "2001:db8::7"),
            (&[("cf-connecting-ip", "8.8.8.8"), ("cf-connecting-ip", "203.0.113.7")], "203.0.113.7"),
            (&[("cf-connecting-ip", "nonsense")], "127.0.0.1"),
            (&[("x-forwarded-for", "203.0.113.7")], "127.0.0.1"),
            (&[("forwarded", "for=203.0.113.7"), ("x-real-ip", "203.0.113.7")], "127.0.0.1"),
            (&[("cf-connecting-ip", "203.0.113.7"), ("x-forwarded-for", "8.8.8.8")], "203.0.113.7"),
        ],
    )
    .await;
    let app = app_reading("x-real-ip").await;
    assert_client_ips(&app, &[(&[("x-real-ip", "203.0.113.7")], "203.0.113.7")]).await;
}

#[apply(trial)]
async fn unusual_spellings_are_normalized_to_one_address_s26() {
    let app = app_behind(&["127.0.0.0/8", "10.0.0.0/8"]).await;
    assert_client_ips(
        &app,
        &[
            (&[("x-forwarded-for", "::ffff:203.0.113.7")], "203.0.113.7"),
            (&[("x-forwarded-for", "[::ffff:cb00:7107]:80")], "203.0.113.7"),
            (&[("x-forwarded-for", "203.0.113.7, ::ffff:10.1.2.3")], "203.0.113.7"),
            (&[("x-forwarded-for", "203.0.113.7:4711")], "203.0.113.7"),
            (&[("x-forwarded-for", "2001:DB8:0:0::07")], "2001:db8::7"),
            (&[("x-forwarded-for", "[2001:db8::7]")], "2001:db8::7"),
            (&[("x-forwarded-for", "[2001:db8::7]:4711")], "2001:db8::7"),
            (&[("x-forwarded-for", "[203.0.113.7]")], "127.0.0.1"),
            (&[("x-forwarded-for", "[2001:db8::7")], "127.0.0.1"),
            (&[("x-forwarded-for", "fe80::1%eth0")], "127.0.0.1"),
            (&[("x-forwarded-for", "[fe80::1%1]:80")], "127.0.0.1"),
        ],
    )
    .await;
    assert_client_ips(
        &app_reading("forwarded").await,
        &[
            (&[("forwarded", "for=\"203.0.113.7:4711\"")], "203.0.113.7"),
            (&[("forwarded", "for=\"[2001:db8::7]:4711\"")], "2001:db8::7"),
            (&[("forwarded", "for=\"[::ffff:203.0.113.7]\"")], "203.0.113.7"),
        ],
    )
    .await;
}

/// On a dual-stack socket, IPv4 peers have mapped IPv6 addresses.
#[apply(trial)]
async fn ipv4_mapped_peers_match_their_ipv4_network_s26() {
    let address = "[::ffff:127.0.0.1]:0";
    if std::net::TcpListener::bind(address).is_err() {
        return println!("forwarded: skipped: this host has no IPv6");
    }
    let app = TestApp::builder()
        .setting("server.listen", address)
        .setting("server.trusted_proxies", "127.0.0.0/8")
        // Weak hashing is allowed only on loopback addresses, and this address does not count as one.
        .setting("passwords.weak_hashing_for_tests", false)
        .setting("passwords.hash_memory", "")
        .setting("passwords.hash_iterations", "")
        .start()
        .await;
    assert_client_ips(&app, &[(&[], "127.0.0.1"), (&[("x-forwarded-for", "203.0.113.7")], "203.0.113.7")]).await;
}

#[apply(trial)]
async fn other_headers_do_not_change_the_client_ip_s27() {
    let named = ("x-forwarded-for", "203.0.113.7");
    assert_client_ips(
        &app_behind(&["127.0.0.0/8"]).await,
        &[
            (&[named, ("forwarded", "for=203.0.113.7")], "203.0.113.7"),
            (&[named, ("forwarded", "for=8.8.8.8")], "203.0.113.7"),
            (&[named, ("forwarded", "nonsense")], "203.0.113.7"),
            (&[named, ("forwarded", "")], "203.0.113.7"),
            (&[named, ("x-real-ip", "8.8.8.8"), ("true-client-ip", "8.8.8.8")], "203.0.113.7"),
            (&[("x-forwarded-for", "nonsense"), ("forwarded", "for=203.0.113.7")], "127.0.0.1"),
        ],
    )
    .await;
}

/// Fails to log in as a user who does not exist, with these headers.
async fn fail_to_log_in(app: &TestApp, headers: &[(&str, &str)]) -> TestResponse {
    let login = headers.iter().fold(app.post("/login"), |call, (name, value)| call.header(name, value));
    login.json(&json!({ "username": "nobody", "password": "wrong" })).send().await
}

#[apply(trial)]
async fn other_headers_open_no_second_budget_s27() {
    let builder = TestApp::builder().setting("limits.login_burst", 8).setting("limits.logins_per_minute", 1);
    let app = builder.setting("server.trusted_proxies", "127.0.0.0/8").start().await;
    let client = ("x-forwarded-for", "203.0.113.7");
    let mut attempts = 0;
    while fail_to_log_in(&app, &[client]).await.status != 429 {
        attempts += 1;
        assert!(attempts < 20, "the limit must apply");
    }
    for other in [("forwarded", "for=8.8.8.8"), ("forwarded", "nonsense"), ("x-real-ip", "8.8.8.8")] {
        let response = fail_to_log_in(&app, &[client, other]).await;
        response.is_problem(429, "too_many_requests");
    }
    // What the attacker sent counts for nobody else.
    for honest in [&[("x-forwarded-for", "203.0.113.8")], [].as_slice()] {
        assert_eq!(fail_to_log_in(&app, honest).await.status, 401, "{honest:?}");
    }
}

/// What a client writes on the same line must not make its proxy the client, whose budget others share.
#[apply(trial)]
async fn malformed_text_before_the_own_hop_opens_no_second_budget_s27() {
    for (header, hop, attacks) in [
        ("x-forwarded-for", "203.0.113.7", ["\u{ff}, ", "\", ", ", , ", "unknown, "]),
        ("forwarded", "for=203.0.113.7", ["\u{ff}, ", "for=8.8.8.8;by=\", ", "for=\"\\\", ", "=;;, "]),
    ] {
        let builder = TestApp::builder().setting("limits.login_burst", 8).setting("limits.logins_per_minute", 1);
        let builder = builder.setting("server.trusted_proxies", "127.0.0.0/8");
        let app = builder.setting("server.client_ip_header", header).start().await;
        while fail_to_log_in(&app, &[(header, hop)]).await.status != 429 {}
        for attack in attacks {
            let line = format!("{attack}{hop}");
            fail_to_log_in(&app, &[(header, &line)]).await.is_problem(429, "too_many_requests");
        }
    }
}

#[apply(trial)]
async fn ignored_headers_are_logged_once_a_minute_s27() {
    let deployment = Deployment::new().await;
    let server = Server::start(deployment.command());
    for number in 0..5 {
        let call = server.call("GET", "/.well-known/jwks.json");
        assert_eq!(call.header("x-forwarded-for", format!("203.0.113.{number}")).send().await.status, 200);
    }
    drop(server);
    let log = deployment.logs();
    assert_eq!(log.matches("VESTIBULE_SERVER__TRUSTED_PROXIES").count(), 1, "{log}");
    assert!(log.contains("\"network.peer.address\":\"127.0.0.1\"") && !log.contains("203.0.113."), "{log}");
}

#[apply(trial)]
async fn unreadable_header_of_a_proxy_is_logged_once_a_minute_s27() {
    for (name, value) in [("x-forwarded-for", "unknown"), ("forwarded", "for=203.0.113.7")] {
        let deployment = Deployment::new().await;
        let mut command = deployment.command();
        command.env("VESTIBULE_SERVER__TRUSTED_PROXIES", "127.0.0.0/8");
        let server = Server::start(command);
        let call = || server.call("GET", "/.well-known/jwks.json");
        // A health check of the proxy itself has no such header.
        assert_eq!(call().send().await.status, 200);
        assert_eq!(call().header("x-forwarded-for", "203.0.113.7").send().await.status, 200);
        assert_eq!(deployment.logs().matches("VESTIBULE_SERVER__CLIENT_IP_HEADER").count(), 0);
        for _ in 0..5 {
            assert_eq!(call().header(name, value).send().await.status, 200);
        }
        drop(server);
        let log = deployment.logs();
        assert_eq!(log.matches("VESTIBULE_SERVER__CLIENT_IP_HEADER").count(), 1, "{log}");
        assert!(log.contains("\"header\":\"x-forwarded-for\""), "{log}");
    }
}
