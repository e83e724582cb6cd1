//! Sessions against a model: random sequences of logins, refreshes, replays, ends, operators' deeds and passing time, on
//! two instances over one database. Each answer is what the model says, and so is what becomes of every token there is.
//!
//! A sequence that fails is made as short as it gets and shown.

mod driver;
mod state;
mod steps;

use std::sync::{Arc, Mutex};

use self::driver::Tally;
use crate::support::{database, property, rounds};

/// What the services of this test are configured to, in seconds.
const ACCESS: u64 = 120;
const GRACE: u64 = 30;
const IDLE: u64 = 600;
const LIFETIME: u64 = 700;
/// The most live sessions of an account.
const MOST: usize = 3;

/// Everything that is to happen at least once in the sequences of a run, or it has proven little.
const SEEN: [&str; 21] = [
    "login",
    "login refused",
    "oldest session ended",
    "renewed",
    "answered again",
    "reuse",
    "refresh after the end",
    "refresh after idling",
    "refresh after the lifetime",
    "revoked",
    "logout",
    "list",
    "one ended",
    "none such",
    "others ended",
    "password changed",
    "password not changed",
    "access refused",
    "disabled",
    "deleted",
    "created again",
];

#[apply(trial)]
async fn sessions_do_as_the_model_says() {
    // A database of its own for each sequence takes longer on a server.
    let sequences = rounds(40, if database::server().is_some() { 150 } else { 1000 });
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
    property::holds(sequences, steps::sequences, compare).await;
    let tally = tally.lock().unwrap();
    println!("model: {sequences} sequences from TEST_SEED={}, {tally}", property::seed());
    for what in SEEN {
        assert!(tally.has(what), "nothing of this kind was tried: {what}");
    }
}
