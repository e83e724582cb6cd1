//! Background work, beside the requests and under the server's own cancellation.

use std::{sync::Arc, time::Duration};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::domain::{
    App,
    clean_up::{self, Removed},
};

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
            () = clean_up(&app) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn clean_up(app: &App) {
    match clean_up::run(app).await {
        Ok(removed) if removed == Removed::default() => {}
        Ok(Removed { sessions, throttles, devices }) => {
            tracing::info!(sessions, throttles, devices, "what is over was cleared away");
        }
        Err(fault) => tracing::warn!(cause = fault.chain(), "what is over was not cleared away"),
    }
}
