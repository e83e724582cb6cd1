//! Property tests. A failing value is shrunk and printed with the seed of the run. `TEST_SEED` sets the seed.

use std::{fmt::Debug, future::Future};

use proptest::{
    strategy::Strategy,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};
use tokio::runtime::Handle;

/// Returns the seed of the random values.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting")]
pub(crate) fn seed() -> u64 {
    std::env::var("TEST_SEED").ok().map_or(1, |text| text.parse().expect("TEST_SEED is a number"))
}

/// Runs a test with this many random values. The test returns an error message if it fails; it is printed with the
/// seed.
pub(crate) async fn check<S, F>(rounds: usize, values: fn() -> S, test: impl Fn(S::Value) -> F + Send + 'static)
where
    S: Strategy<Value: Debug> + 'static,
    F: Future<Output = Result<(), String>>,
{
    let (seed, runtime) = (seed(), Handle::current());
    let run = move || {
        let outcome =
            runner(seed, rounds).run(&values(), |value| runtime.block_on(test(value)).map_err(TestCaseError::fail));
        outcome.map_err(|failure| failure.to_string())
    };
    // The runner blocks on each value, which a runtime thread must not do.
    if let Err(failure) = tokio::task::spawn_blocking(run).await.unwrap() {
        panic!("TEST_SEED={seed}: {failure}");
    }
}

fn runner(seed: u64, rounds: usize) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: rounds.try_into().unwrap(),
        failure_persistence: None,
        max_shrink_iters: 400,
        max_shrink_time: 120_000,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}
