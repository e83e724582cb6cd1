//! Many clients that write at once.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{
    owner::{GOOD, Tally},
    traffic::Owners,
};
use crate::support::{
    figures::Figures,
    process::{Deployment, Server},
    rounds,
};

const WRITERS: usize = 64;

#[apply(trial)]
async fn parallel_writers_are_all_served_r7() {
    writers_are_served::<1>("64 parallel writers", rounds(5, 60)).await;
}

#[apply(trial)]
async fn parallel_writers_of_two_instances_are_all_served_r7() {
    writers_are_served::<2>("64 parallel writers, two instances", rounds(2, 60)).await;
}

async fn writers_are_served<const INSTANCES: usize>(scenario: &'static str, seconds: usize) {
    let deployment = Deployment::new().await;
    let servers: [Server; INSTANCES] = deployment.servers();
    let begun = Instant::now();
    let writers = servers.each_ref().map(|server| {
        let remote = server.remote();
        let owners = Owners::start(&remote, &format!("writer{}of", remote.address.port()), WRITERS / INSTANCES);
        (owners, remote)
    });
    sleep(Duration::from_secs(seconds as u64)).await;
    let mut tally = Tally::default();
    for (owners, remote) in writers {
        tally.add(owners.look_back(&remote).await);
    }
    let took = begun.elapsed();
    for server in servers {
        server.stop();
    }
    let written = tally.acknowledged;
    let slowest = tally.seen.iter().map(|seen| seen.took).max().unwrap_or_default();
    let locked = deployment.logs().matches("database is locked").count();
    let figures = Figures {
        more: format!(
            "{:.0} acknowledged writes per second for {:.1} s; {} of {} requests failed, the slowest took {:.2} s; \
             \"database is locked\" logged {locked} times",
            f64::from(u32::try_from(written).unwrap()) / took.as_secs_f64(),
            took.as_secs_f64(),
            tally.failed(&GOOD),
            tally.seen.len(),
            slowest.as_secs_f64(),
        ),
        ..tally.figures("R7", scenario, 1)
    };
    figures.tell();
    tally.holds();
    tally.is_answered(&GOOD);
    assert_eq!(locked, 0, "{}", deployment.logs());
}
