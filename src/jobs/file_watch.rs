//! The job that logs when the files of an SQLite database are moved, deleted or replaced.

use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use crate::domain::app::App;

/// How often the files are checked.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often the same fault is logged.
const REPEAT: Duration = Duration::from_mins(1);

/// Checks the files once a second until the future is dropped. Logs a fault at once and then every minute, and logs
/// when it ends.
///
/// Every unit of work checks the files too. This job makes the fault visible while there are no requests.
pub(super) async fn watch_files(app: &App) {
    let mut logged = None;
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match app.db.check_files() {
            Err(error) => {
                if logged.is_none_or(|logged: Instant| logged.elapsed() >= REPEAT) {
                    logged = Some(Instant::now());
                    tracing::error!(
                        cause = %error,
                        "a file of the database was moved, deleted or replaced; requests that need the database get \
                         503, because their changes would be lost"
                    );
                }
            }
            Ok(()) => {
                if logged.take().is_some() {
                    tracing::info!("the files of the database are in place again");
                }
            }
        }
    }
}
