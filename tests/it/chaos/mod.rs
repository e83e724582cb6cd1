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

use libtest_mimic::Trial;

/// The scenarios, where the suite that gives them a machine has asked for them.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting")]
pub(crate) fn trials() -> Vec<Trial> {
    if env::var_os("TEST_CHAOS").is_none() {
        return Vec::new();
    }
    // Where there is no proxy, the suite says so.
    let rolling = proxy::program().map_or_else(Vec::new, |_| rolling::trials());
    [
        clocks::trials(),
        damage::trials(),
        disk::trials(),
        flood::trials(),
        kill::trials(),
        limits::trials(),
        load::trials(),
        outage::trials(),
        rolling,
        soak::trials(),
        stop::trials(),
        upgrade::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
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
