//! What fuzz targets may do with settings; only there when the service is built for them (`--cfg fuzzing`).

use std::collections::HashMap;

use config::{File, FileFormat};

use super::{Config, ConfigError, read};

/// Reads and checks settings as [`Config::load`] does, from the text of a file and from variables.
///
/// # Errors
/// The first setting that is unknown, has the wrong type or cannot be used.
pub fn load(file: &str, variables: HashMap<String, String>) -> Result<Config, ConfigError> {
    let config: Config = read::settings(File::from_str(file, FileFormat::Toml), variables)?;
    config.validate()?;
    Ok(config)
}
