//! Sessions compared with a model. Random sequences of logins, refreshes, replays, logouts, administration and passing
//! time run on two instances with one database. After every step, the responses and the state of every token must be
//! those of the model.
//!
//! A failing sequence is shrunk and printed.

mod driver;
mod state;
mod steps;

use std::sync::{Arc, Mutex};

use self::driver::Tally;
use crate::support::{database, property, rounds};

/// The settings of the service in this test, in seconds.
const ACCESS: u64 = 120;
const GRACE: u64 = 30;
const IDLE: u64 = 600;
const LIFETIME: u64 = 700;
/// The maximum number of open sessions of a user.
const MAX_SESSIONS: usize = 3;

/// The events that a run must contain at least once, or it proves little.
const REQUIRED_EVENTS: [&str; 21] = [
    "login",
    "login rejected",
    "oldest session ended",
    "rotated",
    "retried in the grace period",
    "reuse",
    "refresh of an ended session",
    "refresh after the idle lifetime",
    "refresh after the lifetime",
    "revoked",
    "logout",
    "list",
    "one ended",
    "no such session",
    "others ended",
    "password changed",
    "password not changed",
    "access rejected",
    "disabled",
    "deleted",
    "created again",
];

#[apply(trial)]
async fn sessions_behave_like_the_model() {
    // On a database server, creating a database for each sequence takes longer.
    let sequences = rounds(40, if database::server_url().is_some() { 150 } else { 1000 });
    let tally = Arc::new(Mutex::new(Tally::default()));
    let total = Arc::clone(&tally);
    let compare = move |steps: Vec<_>| {
        let total = Arc::clone(&total);
        async move {
            let done = driver::run(&steps).await?;
            total.lock().unwrap().add(done);
            Ok(())
        }
    };
    property::check(sequences, steps::sequences, compare).await;
    let tally = tally.lock().unwrap();
    println!("model: {sequences} sequences from TEST_SEED={}, {tally}", property::seed());
    for what in REQUIRED_EVENTS {
        assert!(tally.has(what), "the sequences contain no event of this kind: {what}");
    }
}
