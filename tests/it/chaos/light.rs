//! Light requests beside something heavy: how much later they are served than without it.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    raw::{Raw, get, post},
    traffic::percentile,
};
use crate::support::app::Tokens;

pub(super) const REFRESH: &str = "/token/refresh";
/// How many times longer they may take: half of them, and all but one of a hundred.
const FACTOR: u32 = 3;
/// What is answered from memory, what is read, and what is written; and the milliseconds that half of them, and all but one
/// of a hundred, may take in any case. The clients share the machine's cores with the service, and other programs may too:
/// below these, more is left to chance than to the service. A request that waits for a hash waits longer than the first.
const KINDS: [(&str, u64, u64); 4] =
    [("/.well-known/jwks.json", 10, 100), ("/health/live", 10, 100), ("/me", 50, 250), (REFRESH, 100, 500)];
const PAUSE: Duration = Duration::from_millis(1);

/// How long each kind took: half of the requests, and all but one of a hundred.
pub(super) struct Light([(Duration, Duration); KINDS.len()]);

fn request(path: &str, tokens: &Tokens) -> Vec<u8> {
    if path == REFRESH {
        return post(path, &json!({ "refresh_token": tokens.refresh }), false);
    }
    get(path, if path == "/me" { &tokens.access } else { "" })
}

/// Asks for each kind again and again on one connection until it is told to stop.
async fn ask(address: SocketAddr, path: &str, mut tokens: Tokens, stop: Arc<AtomicBool>) -> Vec<Duration> {
    let (mut client, mut times) = (Raw::connect(address).await.unwrap(), Vec::new());
    while !stop.load(Ordering::Relaxed) {
        let request = request(path, &tokens);
        let begun = Instant::now();
        let reply = client.ask(&request).await.unwrap();
        times.push(begun.elapsed());
        assert!(reply.status == 200 && reply.is_ours(), "{path}: {reply:?}");
        if path == REFRESH {
            let body: Value = serde_json::from_str(&reply.body).unwrap();
            body["refresh_token"].as_str().unwrap().clone_into(&mut tokens.refresh);
        }
        sleep(PAUSE).await;
    }
    times
}

impl Light {
    /// Measures while `during` lasts, on connections that are there before.
    pub(super) async fn beside<T>(address: SocketAddr, tokens: &Tokens, during: impl Future<Output = T>) -> (T, Self) {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = KINDS.map(|(path, ..)| tokio::spawn(ask(address, path, tokens.clone(), Arc::clone(&stop))));
        let value = during.await;
        stop.store(true, Ordering::Relaxed);
        let mut all = join_all(tasks).await.into_iter().map(Result::unwrap);
        let times = KINDS.map(|_| all.next().unwrap());
        (value, Self(times.map(|times| (percentile(50, times.clone()), percentile(99, times)))))
    }

    /// In words, after what they took without anything beside.
    pub(super) fn after(&self, quiet: &Self) -> String {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        let mut text = "p99 (median) in ms, quiet and meanwhile:".to_owned();
        for (((path, ..), before), now) in KINDS.into_iter().zip(quiet.0).zip(self.0) {
            let [quiet, busy] = [before, now].map(|(half, most)| {
                let (half, most) = (milliseconds(half), milliseconds(most));
                format!("{most:.1} ({half:.1})")
            });
            write!(text, " {path} {quiet}, {busy};").unwrap();
        }
        text.trim_end_matches(';').to_owned()
    }

    /// Asserts that they took hardly longer than they did without anything beside.
    pub(super) fn holds(&self, quiet: &Self) {
        for (((path, half, most), before), now) in KINDS.into_iter().zip(quiet.0).zip(self.0) {
            let bound = |before: Duration, chance: u64| (FACTOR * before).max(Duration::from_millis(chance));
            assert!(now.0 <= bound(before.0, half), "half of {path}: {:?}, quiet {:?}", now.0, before.0);
            assert!(now.1 <= bound(before.1, most), "99 % of {path}: {:?}, quiet {:?}", now.1, before.1);
        }
    }
}
