//! Errors of opening a connection: which of them a retry cannot resolve, and what to do about them.

use std::io;

use sea_orm::{DbErr, RuntimeErr};

use super::error::{ErrorCode, POOLER_ADVICE, is_shared_session};

/// What sqlx reports if the server demands a method of authentication that sqlx does not know. It has no code.
const UNKNOWN_MYSQL_PLUGIN: [&str; 2] = ["unknown authentication plugin", "mysql_cleartext_plugin disabled"];
const UNKNOWN_POSTGRES_METHOD: [&str; 3] =
    ["unknown authentication method", "unsupported authentication method", "unsupported SASL authentication"];

/// Why a connection cannot be opened, where the driver's own text does not say what to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// MySQL or MariaDB demands a plugin that the driver does not support.
    MySqlPlugin,
    /// PostgreSQL demands a method that the driver does not support.
    PostgresMethod,
    /// A plugin of MySQL would encrypt the password itself, because the connection is not encrypted.
    NeedsTls,
    /// MySQL or MariaDB rejects the user.
    MySqlLogin,
    /// MySQL or MariaDB would authenticate the user without a password.
    MySqlSocketUser,
    /// PostgreSQL rejects the user or its password.
    PostgresLogin,
    /// PostgreSQL or a pooler rejects a startup parameter.
    StartupParameter,
    /// TLS cannot be negotiated.
    Tls,
    /// A pooler shares sessions.
    SharedSession,
}

/// Returns what an operator can do about an error of a connection.
pub fn connect_advice(error: &DbErr) -> &'static str {
    match Cause::of(error) {
        Some(Cause::MySqlPlugin) => {
            "Vestibule supports the plugins mysql_native_password, caching_sha2_password and sha256_password; on \
             MariaDB run ALTER USER ... IDENTIFIED VIA mysql_native_password USING PASSWORD('...'), on MySQL run ALTER \
             USER ... IDENTIFIED WITH caching_sha2_password BY '...'"
        }
        Some(Cause::PostgresMethod) => {
            "Vestibule supports the methods scram-sha-256, md5, password and trust; set scram-sha-256 for this user in \
             pg_hba.conf, and give the user a password"
        }
        Some(Cause::NeedsTls) => {
            "with the plugins caching_sha2_password and sha256_password the connection must be encrypted; enable TLS \
             on the database server, or use mysql_native_password"
        }
        Some(Cause::MySqlLogin) => {
            "check the user, the password and the hosts from which the user may connect; a user with REQUIRE SSL needs \
             TLS on the database server"
        }
        Some(Cause::MySqlSocketUser) => {
            "the user has a plugin such as unix_socket, which does not work over the network; give it a password: ALTER \
             USER ... IDENTIFIED VIA mysql_native_password USING PASSWORD('...')"
        }
        Some(Cause::PostgresLogin) => {
            "check the user, the password, and the line of this user and host in pg_hba.conf, which must have a method \
             for passwords such as scram-sha-256"
        }
        Some(Cause::StartupParameter) => {
            "remove the parameter from database.url or database.options, or add it to ignore_startup_parameters of the \
             connection pooler"
        }
        Some(Cause::Tls) => {
            "enable TLS on the database server and check its certificate, or change sslmode (on MariaDB and MySQL: \
             ssl-mode) in the URL"
        }
        Some(Cause::SharedSession) => POOLER_ADVICE,
        None => "check the URL and the database",
    }
}

/// Returns whether the configuration of the service or of the database must change before a connection can be opened.
pub fn is_permanent(error: &DbErr) -> bool {
    Cause::of(error).is_some()
}

impl Cause {
    fn of(error: &DbErr) -> Option<Self> {
        if is_shared_session(error) {
            return Some(Self::SharedSession);
        }
        let DbErr::Conn(RuntimeErr::SqlxError(cause)) = error else { return None };
        match &**cause {
            sqlx::Error::Protocol(text) if contains_any(text, &UNKNOWN_MYSQL_PLUGIN) => Some(Self::MySqlPlugin),
            sqlx::Error::Protocol(text) if contains_any(text, &UNKNOWN_POSTGRES_METHOD) => Some(Self::PostgresMethod),
            sqlx::Error::Configuration(cause) if cause.to_string().contains("RSA") => Some(Self::NeedsTls),
            // A connection that breaks during the handshake may work at the next attempt.
            sqlx::Error::Tls(cause) if !cause.is::<io::Error>() => Some(Self::Tls),
            _ => Self::of_code(&ErrorCode::of(error)?, &cause.to_string()),
        }
    }

    fn of_code(code: &ErrorCode<'_>, text: &str) -> Option<Self> {
        match code {
            ErrorCode::MySql(1045) => Some(Self::MySqlLogin),
            ErrorCode::MySql(1698) => Some(Self::MySqlSocketUser),
            ErrorCode::Postgres("28000" | "28P01") => Some(Self::PostgresLogin),
            ErrorCode::Postgres("08P01") if text.contains("startup parameter") => Some(Self::StartupParameter),
            _ => None,
        }
    }
}

fn contains_any(text: &str, parts: &[&str]) -> bool {
    parts.iter().any(|part| text.contains(part))
}
