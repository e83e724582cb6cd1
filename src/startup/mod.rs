//! Startup: from the settings to a running [`App`](crate::domain::app::App), for the server, the commands and the
//! tests.

mod app;
mod backup;
mod checks;
mod database;
mod error;
mod file_permissions;
pub mod http;
mod keys;
mod master_key;
mod restore;
mod telemetry;

pub use self::{
    app::{open, open_with_retry},
    backup::{BackupError, back_up},
    checks::check,
    database::{check_database_exists, open_database},
    error::StartError,
    file_permissions::warn_of_loose_config,
    master_key::{describe_master_key, new_master_key},
    restore::restore,
    telemetry::telemetry_settings,
};
