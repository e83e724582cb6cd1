//! Errors of settings show the rejected value and name what a reader might overlook in it, but never a secret.

use vestibule::config::Config;

use crate::config::{assert_rejected, check};

#[apply(trial)]
async fn errors_show_the_rejected_value() {
    for (name, value, shown) in [
        ("SERVER__LISTEN", "localhost:5000", r#""localhost:5000" is not an IP address"#),
        ("SERVER__LISTEN", "127.0.0.1:5000,[::]", r#""[::]" is not an IP address"#),
        ("SERVER__LISTEN", "127.0.0.1:5000,127.0.0.1:5000", r#""127.0.0.1:5000,127.0.0.1:5000" contains"#),
        ("SERVER__PUBLIC_URL", "login.example", r#""login.example" must be an http or https URL"#),
        ("SERVER__PUBLIC_URL", "HTTPS://login.example", r#""HTTPS://login.example" must be written as"#),
        ("SERVER__MAX_BODY_SIZE", "2MiB", r#""2MiB" is out of range"#),
        ("SERVER__MAX_CONNECTIONS", "0", r#""0" is out of range"#),
        ("SERVER__TRUSTED_PROXIES", "0.0.0.0/0", r#""0.0.0.0/0" trusts every client"#),
        ("SERVER__CORS_ORIGINS", "*", r#""*" is not an origin"#),
        ("SESSIONS__IDLE_LIFETIME", "31d", r#""31d" must be at most sessions.lifetime"#),
        ("LIMITS__LOCKOUT_DURATION", "5m", r#""5m" must be at least limits.max_backoff"#),
        ("PASSWORDS__HASH_MEMORY", "8MiB", r#""8MiB" is too small"#),
        ("PASSWORDS__HASH_ITERATIONS", "1", r#""1" is too small"#),
        ("REGISTRATION__RESERVED_NAMES", "two words", r#""two words" (contains a space) is not a username"#),
        ("LOG__FORMAT", "xml", r#""xml" is not a log format"#),
        ("LOG__FILTER", "info,warning", r#""info,warning" contains "warning""#),
        ("METRICS__LISTEN", "127.0.0.1:5000", r#""127.0.0.1:5000" must not overlap"#),
        ("TRACES__ENDPOINT", "http://localhost:4318/v1", r#""http://localhost:4318/v1" must not have a path"#),
        ("DATABASE__URL", "sqlite::memory:", r#""sqlite::memory:" must name a file"#),
        ("DATABASE__ENGINE", "oracle", r#""oracle" is not a database server"#),
    ] {
        let name = format!("VESTIBULE_{name}");
        let output = check(&[(&name, value)], None);
        assert_rejected(&output, &[&format!("({name}): {shown}")]);
    }
    for (line, shown) in [
        ("[server]\nrequest_timeout = 30\n", r#""30" must be a quoted string"#),
        ("[tokens]\naccess_lifetime = 600.5\n", r#""600.5" must be a quoted string"#),
        ("[registration]\nopen = 2\n", r#""2" is not valid"#),
        ("[server]\nlisten = [\"127.0.0.1:5000\", \"5000\"]\n", r#""5000" is not an IP address"#),
    ] {
        assert_rejected(&check(&[], Some(line)), &[shown]);
    }
}

#[apply(trial)]
async fn errors_name_characters_that_are_easily_overlooked() {
    let timeout = "VESTIBULE_SERVER__REQUEST_TIMEOUT";
    for (value, shown) in [
        ("\"30s\"", r#""\"30s\"" (begins with a quotation mark, ends with a quotation mark) is not"#),
        ("'30s'", r#""'30s'" (begins with a quotation mark, ends with a quotation mark) is not"#),
        (" 30s", r#"" 30s" (begins with a space) is not"#),
        ("30s ", r#""30s " (ends with a space) has an unknown unit"#),
        ("30 s", r#""30 s" (contains a space) has"#),
        ("30s\n", r#""30s\n" (ends with a line break) has"#),
        ("30s\r", r#""30s\r" (ends with a line break) has"#),
        ("\t30s", r#""\t30s" (begins with a tab) is"#),
        ("\u{feff}30s", "(begins with a byte order mark) is"),
        ("30s\u{a0}", "(ends with a non-breaking space) has"),
        ("\u{200b}30s", "(begins with an invisible character) is"),
        ("“30s”", "(begins with a quotation mark, ends with a quotation mark) is"),
    ] {
        assert_rejected(&check(&[(timeout, value)], None), &[timeout, shown]);
    }
    for name in ["VESTIBULE_TOKENS__AUDIENCE", "VESTIBULE_KEYS__MASTER_KEY_FILE", "VESTIBULE_TLS__KEY_FILE"] {
        for (value, shown) in [
            ("\"name\"", "(begins with a quotation mark, ends with a quotation mark) must not be in quotation marks"),
            ("name\n", "(ends with a line break) must not begin or end with white space"),
            (" name", "(begins with a space) must not begin or end with white space"),
        ] {
            assert_rejected(&check(&[(name, value)], None), &[name, shown]);
        }
    }
    let long = "x".repeat(5_000);
    let output = check(&[(timeout, &long)], None);
    assert_rejected(&output, &[timeout, "…"]);
    assert!(output.stderr.len() < 1_000, "long values are shortened");
}

#[apply(trial)]
async fn errors_never_show_a_secret() {
    let quoted = "\"postgres://app:hunter2@localhost/db\"";
    assert_rejected(
        &check(&[("VESTIBULE_DATABASE__URL", quoted)], None),
        &["the value (begins with a quotation mark, ends with a quotation mark) must begin with sqlite://"],
    );
    for (name, value) in [
        ("VESTIBULE_DATABASE__URL", quoted),
        ("VESTIBULE_DATABASE__URL", "oracle://app:hunter2@localhost/db"),
        ("VESTIBULE_DATABASE__PASSWORD", "hunter2"),
        ("VESTIBULE_DATABASE__OPTIONS", "password=hunter2"),
        ("VESTIBULE_KEYS__MASTER_KEY", "hunter2"),
        ("VESTIBULE_TRACES__ENDPOINT", "http://app:hunter2@localhost:4318"),
        ("VESTIBULE_TRACES__ENDPOINT", "http://localhost:4318?key=hunter2"),
        ("VESTIBULE_SERVER__PUBLIC_URL", "https://app:hunter2@login.example"),
        ("VESTIBULE_SERVER__CORS_ORIGINS", "https://app:hunter2@app.example"),
    ] {
        let output = check(&[(name, value)], None);
        assert_rejected(&output, &[name]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!text.contains("hunter2"), "{text}");
    }
    for file in ["[database]\npassword = 12345678\n", "[keys]\nmaster_key = [\"12345678\"]\n"] {
        let error = Config::parse(file, []).unwrap_err().to_string();
        assert!(!error.contains("12345678"), "{error}");
    }
}
