//! What happens to the service when machines fail: each scenario adds a row to a table of figures. They stop and kill
//! what runs under the service, so they only run where that belongs to them alone, one after the other.

mod clocks;
mod damage;
mod disk;
mod flood;
mod kill;
mod light;
mod limits;
mod load;
mod outage;
mod owner;
mod proxy;
mod raw;
mod rolling;
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

/// Returns whether a test runs. Scenarios run only in the suite that gives them a machine, and those behind a proxy only
/// where there is one; the suite says so if there is none.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting")]
pub(crate) fn runs(test: &str) -> bool {
    match test.strip_prefix("chaos::") {
        Some(scenario) => {
            env::var_os("TEST_CHAOS").is_some() && (!scenario.starts_with("rolling::") || proxy::program().is_some())
        }
        None => true,
    }
}

/// A number below `limit`, another one each time.
fn some_number(limit: usize) -> usize {
    let random = RandomState::new().build_hasher().finish();
    usize::try_from(random % u64::try_from(limit).unwrap()).unwrap()
}

/// A moment within `span`, another one each time.
fn some_of(span: Duration) -> Duration {
    Duration::from_micros(u64::try_from(some_number(usize::try_from(span.as_micros()).unwrap())).unwrap())
}
