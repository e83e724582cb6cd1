//! Background work, beside the requests and under the server's own cancellation.

use std::{sync::Arc, time::Duration};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::domain::{App, session};

/// How often an instance looks whether a job is due.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Does the jobs that are due, until `stop` is cancelled. One that fails is tried again when it is next due.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        tokio::select! {
            () = clean_up_sessions(&app) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn clean_up_sessions(app: &App) {
    match session::clean_up(app).await {
        Ok(0) => {}
        Ok(removed) => tracing::info!(removed, "sessions that are over were cleared away"),
        Err(fault) => tracing::warn!(cause = fault.chain(), "sessions that are over were not cleared away"),
    }
}
