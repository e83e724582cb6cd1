//! The latency of cheap requests while the service is under load, compared with their latency without.

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
    raw_client::{RawClient, get, post},
    traffic::percentile,
};
use crate::support::app::Tokens;

pub(super) const REFRESH: &str = "/token/refresh";
/// The factor by which the median and the 99th percentile may grow.
const FACTOR: u32 = 3;
/// Cheap requests: two served from memory, a read and a write, each with the milliseconds that its median and its 99th
/// percentile may take in any case. Below these, chance decides more than the service does, because clients and other
/// programs share its cores. A request that waits for a hash takes longer than the first bound.
const KINDS: [(&str, u64, u64); 4] =
    [("/.well-known/jwks.json", 10, 100), ("/health/live", 10, 100), ("/me", 50, 250), (REFRESH, 100, 500)];
const PAUSE: Duration = Duration::from_millis(1);

/// The median and the 99th percentile of each kind.
pub(super) struct Latencies([(Duration, Duration); KINDS.len()]);

fn request(path: &str, tokens: &Tokens) -> Vec<u8> {
    if path == REFRESH {
        return post(path, &json!({ "refresh_token": tokens.refresh }), false);
    }
    get(path, if path == "/me" { &tokens.access } else { "" })
}

/// Sends one kind of request over and over on one connection until it is told to stop.
async fn measure(address: SocketAddr, path: &str, mut tokens: Tokens, stop: Arc<AtomicBool>) -> Vec<Duration> {
    let (mut client, mut times) = (RawClient::connect(address).await.unwrap(), Vec::new());
    while !stop.load(Ordering::Relaxed) {
        let request = request(path, &tokens);
        let begun = Instant::now();
        let response = client.exchange(&request).await.unwrap();
        times.push(begun.elapsed());
        assert!(response.status == 200 && response.is_well_formed(), "{path}: {response:?}");
        if path == REFRESH {
            let body: Value = serde_json::from_str(&response.body).unwrap();
            body["refresh_token"].as_str().unwrap().clone_into(&mut tokens.refresh);
        }
        sleep(PAUSE).await;
    }
    times
}

impl Latencies {
    /// Measures while `during` runs, on connections that are already open.
    pub(super) async fn measure_during<T>(
        address: SocketAddr,
        tokens: &Tokens,
        during: impl Future<Output = T>,
    ) -> (T, Self) {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = KINDS.map(|(path, ..)| tokio::spawn(measure(address, path, tokens.clone(), Arc::clone(&stop))));
        let value = during.await;
        stop.store(true, Ordering::Relaxed);
        let mut all = join_all(tasks).await.into_iter().map(Result::unwrap);
        let times = KINDS.map(|_| all.next().unwrap());
        (value, Self(times.map(|times| (percentile(50, times.clone()), percentile(99, times)))))
    }

    /// Formats the latencies beside those without load.
    pub(super) fn describe_against(&self, quiet: &Self) -> String {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        let mut text = "p99 (median) in ms, without and under load:".to_owned();
        for (((path, ..), before), now) in KINDS.into_iter().zip(quiet.0).zip(self.0) {
            let [quiet, busy] = [before, now].map(|(half, most)| {
                let (half, most) = (milliseconds(half), milliseconds(most));
                format!("{most:.1} ({half:.1})")
            });
            write!(text, " {path} {quiet}, {busy};").unwrap();
        }
        text.trim_end_matches(';').to_owned()
    }

    /// Asserts that the latencies are not much higher than without load.
    pub(super) fn assert_close_to(&self, quiet: &Self) {
        for (((path, half, most), before), now) in KINDS.into_iter().zip(quiet.0).zip(self.0) {
            let bound = |before: Duration, chance: u64| (FACTOR * before).max(Duration::from_millis(chance));
            assert!(now.0 <= bound(before.0, half), "median of {path}: {:?}, without load {:?}", now.0, before.0);
            assert!(now.1 <= bound(before.1, most), "p99 of {path}: {:?}, without load {:?}", now.1, before.1);
        }
    }
}
