//! Starts that fail because the database server does not let the service in: the error says what to do, and a start that
//! cannot succeed is not retried.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use sea_orm::ConnectionTrait as _;
use tempfile::TempDir;

use crate::support::{app::write_master_key, database, database_server::DatabaseServer, process::vestibule};

/// Starts a server on a database that does not accept it. Returns its error.
fn failed_start(url: &str) -> String {
    let folder = TempDir::new().unwrap();
    write_master_key(&folder);
    let output = vestibule(&folder)
        .env("VESTIBULE_DATABASE__URL", url)
        .env("VESTIBULE_DATABASE__START_TIMEOUT", "20s")
        .env("VESTIBULE_KEYS__MASTER_KEY_FILE", "vestibule.key")
        .output()
        .unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(!log.contains("retrying"), "a retry would not help: {log}");
    log
}

/// Returns a server URL with another user, whose password is `x`.
fn url_of(user: &str) -> String {
    let server = database::server_url().unwrap();
    let (scheme, rest) = server.split_once("://").unwrap();
    let (_, host) = rest.split_once('@').unwrap();
    let database = if scheme == "mysql" { "/mysql" } else { "" };
    format!("{scheme}://{user}:x@{host}{database}")
}

#[apply(trial)]
#[on(MariaDB)]
async fn unsupported_plugin_of_mariadb_is_named_with_a_remedy() {
    let folder = TempDir::new().unwrap();
    let db = vestibule::store::connect(&database::create_empty(&folder).await.into(), 1).await.unwrap();
    for statement in [
        "INSTALL SONAME 'auth_ed25519'",
        "CREATE USER ed25519@'127.0.0.1' IDENTIFIED VIA ed25519 USING PASSWORD('x')",
        "CREATE USER on_socket@'127.0.0.1' IDENTIFIED VIA unix_socket",
        "CREATE USER encrypted@'127.0.0.1' IDENTIFIED BY 'x' REQUIRE SSL",
    ] {
        db.execute_unprepared(statement).await.unwrap();
    }
    for (user, parts) in [
        ("ed25519", ["client_ed25519", "IDENTIFIED VIA mysql_native_password USING PASSWORD"]),
        ("on_socket", ["unix_socket", "IDENTIFIED VIA mysql_native_password USING PASSWORD"]),
        ("encrypted", ["Access denied", "REQUIRE SSL"]),
        ("nobody", ["Access denied", "check the user, the password"]),
    ] {
        let log = failed_start(&url_of(user));
        assert!(parts.iter().all(|part| log.contains(part)), "{user}: {log}");
    }
    let log = failed_start(&format!("{}?ssl-mode=REQUIRED", url_of("nobody")));
    assert!(log.contains("server does not support TLS") && log.contains("ssl-mode"), "{log}");
}

#[apply(trial)]
#[on(PostgreSQL)]
async fn unsupported_method_of_postgresql_is_named_with_a_remedy() {
    let db = vestibule::store::connect(&database::server_url().unwrap().into(), 1).await.unwrap();
    for user in ["with_gss", "with_ident", "with_password"] {
        db.execute_unprepared(&format!("CREATE ROLE {user} LOGIN PASSWORD 'x'")).await.unwrap();
    }
    DatabaseServer::get().prepend_to("data/pg_hba.conf", "host all with_gss all gss\nhost all with_ident all ident\n");
    db.execute_unprepared("SELECT pg_reload_conf()").await.unwrap();
    // The server reads the file a moment later.
    while !failed_start(&url_of("with_gss")).contains("authentication method") {}

    for (user, parts) in [
        ("with_gss", ["unknown authentication method", "set scram-sha-256"]),
        ("with_ident", ["Ident authentication failed", "such as scram-sha-256"]),
        ("nobody", ["password authentication failed", "check the user, the password"]),
    ] {
        let log = failed_start(&url_of(user));
        assert!(parts.iter().all(|part| log.contains(part)), "{user}: {log}");
    }
    let log = failed_start(&format!("{}?sslmode=require", url_of("with_password")));
    assert!(log.contains("server does not support TLS") && log.contains("sslmode"), "{log}");
}

/// Sends the first packet of a MySQL server, with a plugin of this name, then an empty public key.
fn mysql_server_with(plugin: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("mysql://john:x@{}/accounts", listener.local_addr().unwrap());
    // Protocol 10, connection 1, the capabilities of MySQL 8 without TLS, and 20 bytes of a nonce.
    let capabilities = 0x008f_f7ff_u32 & !0x800;
    let [a, b, c, d] = capabilities.to_le_bytes();
    let nonce = [b'n'; 12];
    let head = [b"\x0a8.0.36\0\x01\0\0\0nnnnnnnn\0", &[a, b, 45, 2, 0, c, d, 21][..], &[0; 10], &nonce, b"\0"].concat();
    let packet = [&head, plugin.as_bytes(), b"\0"].concat();
    thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            client.write_all(&[&[u8::try_from(packet.len()).unwrap(), 0, 0, 0], packet.as_slice()].concat()).unwrap();
            let mut request = [0; 5];
            if client.read_exact(&mut request).is_ok() {
                client.write_all(&[1, 0, 0, 2, 1]).unwrap();
            }
        }
    });
    url
}

#[apply(trial)]
#[on(SQLite)]
async fn plugin_that_needs_tls_is_explained() {
    for plugin in ["sha256_password", "caching_sha2_password_of_another_kind"] {
        let log = failed_start(&mysql_server_with(plugin));
        let remedy = if plugin == "sha256_password" { "enable TLS on the database server" } else { plugin };
        assert!(log.contains(remedy), "{plugin}: {log}");
    }
}
