//! TLS without a proxy: the protocols, rejected connections, and certificates that change while the service runs.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output},
    sync::Arc,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs::default_provider,
        pki_types::{CertificateDer, ServerName},
    },
};
use vestibule::server::DeadlineSettings;

use crate::support::{TestApp, app};

/// A self-signed certificate and its key.
struct TestCertificate {
    certificate: CertificateDer<'static>,
    pem: String,
    key: String,
}

fn new_certificate() -> TestCertificate {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    TestCertificate {
        certificate: made.cert.der().clone(),
        pem: made.cert.pem(),
        key: made.signing_key.serialize_pem(),
    }
}

fn write(folder: &TempDir, certificate: &str, key: &str) {
    fs::write(folder.path().join("chain.pem"), certificate).unwrap();
    fs::write(folder.path().join("key.pem"), key).unwrap();
    fs::set_permissions(folder.path().join("key.pem"), fs::Permissions::from_mode(0o600)).unwrap();
}

async fn app_with_tls(folder: &TempDir) -> TestApp {
    let [certificate, key] = ["chain.pem", "key.pem"].map(|name| folder.path().join(name));
    let seconds = Duration::from_secs;
    let deadlines = DeadlineSettings { head: seconds(1), idle: seconds(60), response: seconds(30) };
    let app = TestApp::builder().deadlines(deadlines).setting("server.public_url", "https://localhost");
    app.setting("tls.certificate_file", certificate.display()).setting("tls.key_file", key.display()).start().await
}

/// Connects a client that trusts only this certificate.
async fn connect(app: &TestApp, trusted: &TestCertificate, protocol: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.certificate.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = TcpStream::connect(app.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// Sends a request that asks the service to close the connection, and returns the response.
async fn get(stream: &mut TlsStream<TcpStream>) -> String {
    let request = b"GET /.well-known/jwks.json HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

#[apply(trial)]
async fn both_http_versions_are_served_over_tls_s83() {
    let (folder, made) = (TempDir::new().unwrap(), new_certificate());
    write(&folder, &made.pem, &made.key);
    let app = app_with_tls(&folder).await;
    let mut stream = connect(&app, &made, "http/1.1").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
    let response = get(&mut stream).await;
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert!(response.contains("strict-transport-security: max-age=31536000\r\n"), "{response}");
    let mut stream = connect(&app, &made, "h2").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame[3], 4, "the first frame must be SETTINGS");
    assert!(connect(&app, &made, "http/1.0").await.is_err(), "no protocol in common");
}

#[apply(trial)]
async fn plain_text_and_silent_connections_are_closed_s78() {
    let (folder, made) = (TempDir::new().unwrap(), new_certificate());
    write(&folder, &made.pem, &made.key);
    let app = app_with_tls(&folder).await;
    for begin in ["GET /.well-known/jwks.json HTTP/1.1\r\nhost: localhost\r\n\r\n", "", "\x16\x03"] {
        let mut stream = TcpStream::connect(app.address).await.unwrap();
        let begun = Instant::now();
        stream.write_all(begin.as_bytes()).await.unwrap();
        let mut response = Vec::new();
        let ended = timeout(Duration::from_secs(5), stream.read_to_end(&mut response)).await;
        assert!(ended.is_ok(), "{begin:?}: the connection was not closed: {:?}", begun.elapsed());
        assert!(!response.starts_with(b"HTTP"), "{begin:?}");
    }
}

#[apply(trial)]
async fn valid_new_certificate_is_loaded_and_an_invalid_one_is_not() {
    let (folder, old, new) = (TempDir::new().unwrap(), new_certificate(), new_certificate());
    write(&folder, &old.pem, &old.key);
    let app = app_with_tls(&folder).await;
    let refresh = || app.tls.as_ref().unwrap().reload();
    for (certificate, key) in [("nonsense", ""), (&old.pem, &new.key), (&new.pem, &old.key), ("", &new.key)] {
        write(&folder, certificate, key);
        refresh();
        assert!(connect(&app, &old, "h2").await.is_ok(), "the old certificate must still be served");
    }
    fs::remove_file(folder.path().join("key.pem")).unwrap();
    refresh();
    assert!(connect(&app, &old, "h2").await.is_ok(), "the old certificate must still be served");
    write(&folder, &new.pem, &new.key);
    refresh();
    assert!(connect(&app, &old, "h2").await.is_err());
    assert!(get(&mut connect(&app, &new, "http/1.1").await.unwrap()).await.starts_with("HTTP/1.1 200 "));
}

/// Runs the binary in a folder with a configured certificate and key.
fn run(folder: &TempDir, url: &str, command: &[&str]) -> Output {
    let mut binary = Command::new(env!("CARGO_BIN_EXE_vestibule"));
    binary.args(command).env_clear().current_dir(folder.path());
    binary.env("VESTIBULE_SERVER__PUBLIC_URL", url);
    binary.env("VESTIBULE_TLS__CERTIFICATE_FILE", "chain.pem").env("VESTIBULE_TLS__KEY_FILE", "key.pem");
    binary.output().unwrap()
}

#[apply(trial)]
async fn start_fails_with_an_unusable_certificate_or_key() {
    let (folder, made, other) = (TempDir::new().unwrap(), new_certificate(), new_certificate());
    app::write_master_key(&folder);
    let key_without_end = &made.key[..made.key.len() / 2];
    for (certificate, key, setting) in [
        (made.pem.as_str(), other.key.as_str(), "tls.certificate_file (VESTIBULE_TLS__CERTIFICATE_FILE)"),
        ("nonsense", &made.key, "tls.certificate_file (VESTIBULE_TLS__CERTIFICATE_FILE)"),
        (&made.pem, "nonsense", "tls.key_file (VESTIBULE_TLS__KEY_FILE)"),
        (&made.pem, key_without_end, "tls.key_file (VESTIBULE_TLS__KEY_FILE)"),
    ] {
        write(&folder, certificate, key);
        for command in [&["config", "check"][..], &["serve"]] {
            let output = run(&folder, "https://localhost", command);
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && text.contains(setting), "{setting} in {text}");
            assert!(!text.contains(key.lines().nth(1).unwrap_or("PRIVATE")), "{text}");
        }
    }
    write(&folder, &made.pem, &made.key);
    assert!(run(&folder, "https://localhost", &["config", "check"]).status.success());
    let clear = run(&folder, "http://localhost", &["config", "check"]);
    assert!(String::from_utf8_lossy(&clear.stderr).contains("server.public_url"));
    fs::remove_file(folder.path().join("chain.pem")).unwrap();
    let missing = run(&folder, "https://localhost", &["config", "check"]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("tls.certificate_file"));
}
