//! What the drivers read from the URL of a network database.

use std::path::Path;

use sqlx::{mysql::MySqlConnectOptions, postgres::PgConnectOptions};

/// The address of a database on a server, without user and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseAddress {
    /// The host, or the path of a Unix socket.
    pub host: String,
    /// The name of the database, if the URL or the environment of the driver names one.
    pub database: Option<String>,
}

impl DatabaseAddress {
    /// Parses a URL as its driver does. Returns `None` if the driver rejects it. The driver logs options that it does
    /// not know, with their values, so the caller must reject those before.
    pub fn parse(url: &str) -> Option<Self> {
        if url.starts_with("mysql:") {
            let options: MySqlConnectOptions = url.parse().ok()?;
            Some(Self::new(options.get_host(), options.get_socket(), options.get_database()))
        } else {
            let options: PgConnectOptions = url.parse().ok()?;
            Some(Self::new(options.get_host(), options.get_socket(), options.get_database()))
        }
    }

    fn new(host: &str, socket: Option<impl AsRef<Path>>, database: Option<&str>) -> Self {
        let socket = socket.map(|socket| socket.as_ref().display().to_string());
        Self { host: socket.unwrap_or_else(|| host.to_owned()), database: database.map(ToOwned::to_owned) }
    }
}
