//! Robustness tests: how the service behaves when machines fail. Each scenario adds a row to the results table. The
//! scenarios stop and kill what runs under the service. So they run only on their own machine, one after the other.

mod clocks;
mod damage;
mod disk;
mod flood;
mod kill;
mod latency;
mod limits;
mod load;
mod outage;
mod proxy;
mod raw_client;
mod rolling;
mod simulated_user;
mod soak;
mod stop;
mod traffic;
mod upgrade;

use std::{
    collections::hash_map::RandomState,
    env,
    hash::{BuildHasher as _, Hasher as _},
    time::Duration,
};

/// Returns whether a test runs. Scenarios run only in the chaos suite, and those behind a proxy only if one is
/// installed. The suite reports a missing proxy.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting")]
pub(crate) fn runs(test: &str) -> bool {
    match test.strip_prefix("chaos::") {
        Some(scenario) => {
            env::var_os("TEST_CHAOS").is_some() && (!scenario.starts_with("rolling::") || proxy::program().is_some())
        }
        None => true,
    }
}

/// Returns a random number below `limit`.
fn random_below(limit: usize) -> usize {
    let random = RandomState::new().build_hasher().finish();
    usize::try_from(random % u64::try_from(limit).unwrap()).unwrap()
}

/// Returns a random duration below `span`.
fn random_duration(span: Duration) -> Duration {
    Duration::from_micros(u64::try_from(random_below(usize::try_from(span.as_micros()).unwrap())).unwrap())
}
