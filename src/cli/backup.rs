//! `vestibule backup` and `vestibule restore`

use std::path::Path;

use vestibule::{
    config::Config,
    startup::{self, describe_master_key},
};

use super::{failure::Failure, terminal::print_text};

pub(super) async fn back_up(config: &Config, target: &Path) -> Result<(), Failure> {
    startup::back_up(config, target).await?;
    print_text(&format!(
        "Wrote the backup to {}. It does not contain the master key ({}). Store a copy of the key in another place.\n",
        target.display(),
        describe_master_key(config)?
    ))
}

pub(super) async fn restore(config: &Config, backup: &Path) -> Result<(), Failure> {
    let replaced = startup::restore(config, backup).await?;
    let verified = format!("Verified {} and restored it to {}.", backup.display(), config.database.describe());
    print_text(&match replaced {
        Some(path) => format!("{verified} The replaced database is {}.\n", path.display()),
        None => format!("{verified}\n"),
    })
}
