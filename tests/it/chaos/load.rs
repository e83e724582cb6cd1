//! Many clients that write at once.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{
    simulated_user::{EXPECTED_STATUSES, Tally},
    traffic::SimulatedUsers,
};
use crate::support::{
    process::{Deployment, Server},
    results::ResultRow,
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
    let servers: [Server; INSTANCES] = deployment.start_servers();
    let begun = Instant::now();
    let writers = servers.each_ref().map(|server| {
        let client = server.client();
        let users = SimulatedUsers::start(&client, &format!("writer{}of", client.address.port()), WRITERS / INSTANCES);
        (users, client)
    });
    sleep(Duration::from_secs(seconds as u64)).await;
    let mut tally = Tally::default();
    for (users, client) in writers {
        tally.add(users.verify_acknowledged(&client).await);
    }
    let took = begun.elapsed();
    for server in servers {
        server.stop();
    }
    let written = tally.acknowledged;
    let slowest = tally.requests.iter().map(|request| request.took).max().unwrap();
    let locked = deployment.logs().matches("database is locked").count();
    let result = ResultRow {
        notes: format!(
            "{:.0} acknowledged writes per second for {:.1} s; {} of {} requests failed, the slowest took {:.2} s; \
             \"database is locked\" logged {locked} times",
            f64::from(u32::try_from(written).unwrap()) / took.as_secs_f64(),
            took.as_secs_f64(),
            tally.count_unexpected(&EXPECTED_STATUSES),
            tally.requests.len(),
            slowest.as_secs_f64(),
        ),
        ..tally.result_row("R7", scenario, 1)
    };
    result.write();
    tally.assert_consistent();
    tally.assert_statuses(&EXPECTED_STATUSES);
    assert_eq!(locked, 0, "{}", deployment.logs());
}
