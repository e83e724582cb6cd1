//! The checks of a start that need neither the database nor a free port. `vestibule config check` runs the same ones.

use std::{fs::File, sync::Arc};

use super::{
    error::StartError, file_permissions::check_database_file, http, master_key::check_master_key,
    telemetry::telemetry_settings,
};
use crate::{config::Config, server::Tls, telemetry};

/// Checks everything that the start uses and that exists outside the configuration: the master key, the files of the
/// database, the TLS certificate and the exporter of traces. Creates nothing. Returns the loaded certificate.
///
/// # Errors
/// Returns the [`StartError`] of the first failed check.
pub fn check(config: &Config) -> Result<Option<Arc<Tls>>, StartError> {
    if let Some(endpoint) = telemetry_settings(config).traces_endpoint {
        telemetry::check_endpoint(&endpoint)?;
    }
    check_master_key(config)?;
    match config.database.file() {
        Some(file) => check_database_file(&file)?,
        None => check_option_files(config)?,
    }
    Ok(http::load_tls(config)?)
}

/// Checks that the files which the driver of a network database reads can be opened.
fn check_option_files(config: &Config) -> Result<(), StartError> {
    for path in config.database.option_files() {
        File::open(&path).map_err(|error| StartError::File { path, error })?;
    }
    Ok(())
}
