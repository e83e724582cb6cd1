//! The schedule of the jobs.

use std::{sync::Arc, time::Duration};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{
    cleanup::{Deleted, run_cleanup},
    clock_sync::sync_clock,
    file_watch::watch_files,
};
use crate::{
    domain::app::App,
    error::ServiceError,
    metrics::{Job, JobOutcome},
};

/// How often an instance checks whether the cleanup is due.
const CLEANUP_CHECK: Duration = Duration::from_secs(30);
/// How often an instance synchronizes its clock. After a step, two instances may disagree for this long.
const CLOCK_SYNC: Duration = Duration::from_secs(5);

/// Runs the jobs until `stop` is cancelled. After a failure, the clock synchronization runs again at its next tick, and
/// the cleanup when it is next due.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let jobs = async {
        tokio::join!(
            repeat_every(CLEANUP_CHECK, || Box::pin(clean_up(&app))),
            repeat_every(CLOCK_SYNC, || Box::pin(follow_clock(&app))),
            watch_files(&app),
        );
    };
    tokio::select! {
        () = jobs => {}
        () = stop.cancelled() => {}
    }
}

async fn repeat_every<F: Future<Output = ()>>(interval: Duration, job: impl Fn() -> F) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        job().await;
    }
}

async fn clean_up(app: &App) {
    let outcome = run_cleanup(app).await;
    app.metrics.record_job_run(Job::Cleanup, job_outcome(&outcome));
    match outcome {
        Ok(deleted) if deleted == Deleted::default() => {}
        Ok(Deleted { sessions, rate_limits, known_networks, audit_events }) => {
            tracing::info!(sessions, rate_limits, known_networks, audit_events, "removed expired rows");
        }
        Err(error) => tracing::warn!(cause = error.chain(), "cannot remove expired rows; retrying in the next run"),
    }
}

async fn follow_clock(app: &App) {
    let outcome = sync_clock(app).await;
    app.metrics.record_job_run(Job::Clock, job_outcome(&outcome));
    if let Err(error) = outcome {
        tracing::debug!(
            cause = error.chain(),
            "cannot synchronize the clock, which keeps running by itself; retrying in a few seconds"
        );
    }
}

/// Returns the outcome under which a run is counted.
const fn job_outcome<T>(run: &Result<T, ServiceError>) -> JobOutcome {
    match run {
        Ok(_) => JobOutcome::Success,
        Err(_) => JobOutcome::Failure,
    }
}
