//! A long mixed load, which reveals leaks.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{
    simulated_user::EXPECTED_STATUSES,
    traffic::{Readers, SimulatedUsers, p99},
};
use crate::support::{
    database_server::DatabaseServer,
    process::{Deployment, Server},
    results::ResultRow,
    rounds,
    usage::Usage,
};

const USERS: usize = 8;
const SAMPLES: u32 = 200;
/// How much the number of open files may vary, because database connections come and go.
const FILES: u32 = 8;
/// How much memory may grow per minute in the second half of a full run, in KiB. The service keeps only a bounded
/// amount in memory; users and sessions are rows. At 300 requests per second this is six bytes per request, less than
/// the smallest possible leak on the heap.
const GROWTH: f64 = 100.0;
/// A short run ends before caches and the heap have reached their final size.
const GROWTH_EARLY: f64 = 20.0 * 1024.0;

/// A measurement of the process.
struct Sample {
    minutes: f64,
    memory: u32,
    files: u32,
}

/// Returns the growth of a value per minute, by linear regression.
fn slope(samples: &[Sample], value: impl Fn(&Sample) -> u32) -> f64 {
    let number = f64::from(u32::try_from(samples.len()).unwrap());
    let mean = |of: &dyn Fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / number;
    let (time, height) = (mean(&|sample| sample.minutes), mean(&|sample| f64::from(value(sample))));
    let rise = mean(&|sample| (sample.minutes - time) * (f64::from(value(sample)) - height));
    rise / mean(&|sample| (sample.minutes - time).powi(2))
}

#[apply(trial)]
async fn memory_and_open_files_do_not_grow_under_mixed_load_r17() {
    let deployment = Deployment::new().await;
    let server = Server::start(deployment.command());
    let (client, usage) = (server.client(), Usage::of(server.pid()));
    // What the service keeps in memory does not depend on the database.
    let long = if DatabaseServer::find().is_none() { 30 } else { 5 };
    let time = Duration::from_secs(rounds(20, long * 60) as u64);
    let (users, readers) = (SimulatedUsers::start(&client, "user", USERS), Readers::start(&client));
    let (begun, mut samples) = (Instant::now(), Vec::new());
    for _ in 0..SAMPLES {
        sleep(time / SAMPLES).await;
        let minutes = begun.elapsed().as_secs_f64() / 60.0;
        samples.push(Sample { minutes, memory: usage.memory(), files: usage.open_files() });
    }
    let tally = users.verify_acknowledged(&client).await;
    let cheap = readers.end().await;
    let took = begun.elapsed();
    server.stop();

    let (early, late) = samples.split_at(samples.len() / 2);
    let (memory, files) = (slope(late, |sample| sample.memory), slope(late, |sample| sample.files));
    let most = |samples: &[Sample]| samples.iter().map(|sample| sample.files).max().unwrap();
    let requests = tally.requests.len() + cheap.len();
    let failed = tally.count_unexpected(&EXPECTED_STATUSES);
    let result = ResultRow {
        notes: format!(
            "{} s, {:.0} requests per second, {failed} of {requests} failed, p99 of the cheap ones {:.1} ms; second half: \
             memory {memory:+.0} KiB per minute, {} MiB at the end; files {files:+.2} per minute, {} at the end",
            took.as_secs(),
            f64::from(u32::try_from(requests).unwrap()) / took.as_secs_f64(),
            p99(cheap).as_secs_f64() * 1000.0,
            late.last().unwrap().memory / 1024,
            late.last().unwrap().files,
        ),
        ..tally.result_row("R17", "long mixed load", 1)
    };
    result.write();
    tally.assert_consistent();
    tally.assert_statuses(&EXPECTED_STATUSES);
    assert!(most(late) <= most(early) + FILES, "{} files, then {}", most(early), most(late));
    assert!(memory < if rounds(0, 1) == 0 { GROWTH_EARLY } else { GROWTH }, "{memory} KiB per minute");
}
