//! `vestibule keys`

use std::sync::Arc;

use clap::Subcommand;
use vestibule::{
    clock::Clock,
    config::Config,
    domain::admin::reset_keys::reset_keys,
    jobs,
    startup::{self, new_master_key},
};

use super::{
    failure::Failure,
    terminal::{confirm, print_text},
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Print a new master key, for `keys.master_key` or for the file that `keys.master_key_file` names
    Generate,
    /// Delete all keys, sessions, rate limits and known networks; keeps users and audit events
    Reset {
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

pub(super) fn generate() -> Result<(), Failure> {
    print_text(&format!("{}\n", *new_master_key()?.to_text()))
}

pub(super) async fn reset(config: &Config, yes: bool) -> Result<(), Failure> {
    startup::check_database_exists(config)?;
    confirm("Stop every running server first. This revokes all sessions and invalidates all tokens.", yes)?;

    let db = startup::open_database(config, &Arc::default()).await?;
    let clock = Clock::system();
    jobs::start_clock(&db, &clock).await?;
    reset_keys(&db, clock.now()).await?;
    print_text(
        "Deleted all keys. The next start creates new keys and seals them with the configured master key. If a server \
         is still running, restart it: it uses the old keys.\n",
    )
}
