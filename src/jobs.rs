//! Background work, beside the requests and under the server's own cancellation.

use std::{sync::Arc, time::Duration};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::{
    domain::{
        App,
        clean_up::{self, Removed},
        clock,
        fault::Fault,
    },
    metrics::{Job, JobOutcome},
};

/// How often an instance looks whether it is time for a clean-up.
const CLEAN_UP_EVERY: Duration = Duration::from_secs(30);
/// How often it looks at the clock that counts; instances may disagree for so long after that was set.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Does what is to be done, until `stop` is cancelled. What fails is tried again the next time.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let jobs = async {
        tokio::join!(every(CLEAN_UP_EVERY, || Box::pin(clean_up(&app))), every(LOOK_EVERY, || Box::pin(look(&app))),);
    };
    tokio::select! {
        () = jobs => {}
        () = stop.cancelled() => {}
    }
}

async fn every<F: Future<Output = ()>>(span: Duration, job: impl Fn() -> F) {
    let mut ticks = tokio::time::interval(span);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        job().await;
    }
}

/// How a run is counted.
const fn outcome<T>(run: &Result<T, Fault>) -> JobOutcome {
    match run {
        Ok(_) => JobOutcome::Success,
        Err(_) => JobOutcome::Failure,
    }
}

async fn look(app: &App) {
    let looked = clock::look(app).await;
    app.metrics.record_job_run(Job::Clock, outcome(&looked));
    match looked {
        Ok(None) => {}
        Ok(Some(difference)) => tracing::warn!(
            "the clock that counts was set {difference}; dates follow, while sessions, waits and graces last as long as \
             before"
        ),
        Err(fault) => tracing::debug!(cause = fault.chain(), "the clock runs on by itself"),
    }
}

async fn clean_up(app: &App) {
    let cleared = clean_up::run(app).await;
    app.metrics.record_job_run(Job::Cleanup, outcome(&cleared));
    match cleared {
        Ok(removed) if removed == Removed::default() => {}
        Ok(Removed { sessions, throttles, devices, events }) => {
            tracing::info!(sessions, throttles, devices, events, "what is over was cleared away");
        }
        Err(fault) => tracing::warn!(cause = fault.chain(), "what is over was not cleared away"),
    }
}
