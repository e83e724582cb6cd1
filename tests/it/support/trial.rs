//! Tests register themselves: an async function with `#[apply(trial)]` is a test.

use std::future::Future;

use libtest_mimic::Trial;

use super::database;
use crate::chaos;

/// A registered test.
pub(crate) struct Registered {
    /// The path of its function, from the crate on.
    pub(crate) path: &'static str,
    /// The database it is about, or `Servers` for PostgreSQL and MariaDB; none if it is about all of them.
    pub(crate) engine: Option<&'static str>,
    pub(crate) run: fn(),
}

inventory::collect!(Registered);

/// Registers a test. `#[on(SQLite)]` on the line after `#[apply(trial)]`, or the name of another database, or
/// `#[on(Servers)]`, restricts it to runs on that database.
macro_rules! trial {
    ($(#[doc = $doc:literal])* #[on($engine:ident)] $(#[$other:meta])* async fn $name:ident() $body:block) => {
        trial! { @ Some(stringify!($engine)), $(#[doc = $doc])* $(#[$other])* async fn $name() $body }
    };
    ($(#[$other:meta])* async fn $name:ident() $body:block) => {
        trial! { @ None, $(#[$other])* async fn $name() $body }
    };
    (@ $engine:expr, $(#[$other:meta])* async fn $name:ident() $body:block) => {
        $(#[$other])*
        async fn $name() $body

        inventory::submit! {
            $crate::support::trial::Registered {
                path: concat!(module_path!(), "::", stringify!($name)),
                engine: $engine,
                run: || $crate::support::trial::run($name()),
            }
        }
    };
}

/// Runs a test on a runtime of its own.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(test);
}

/// Returns the tests of this run, by name.
pub(crate) fn all() -> Vec<Trial> {
    let mut trials: Vec<_> = inventory::iter::<Registered>
        .into_iter()
        .filter(|test| test.engine.is_none_or(database::runs_on))
        .map(|test| (test.path.split_once("::").map_or(test.path, |(_, name)| name), test.run))
        .filter(|(name, _)| chaos::runs(name))
        .collect();
    trials.sort_unstable_by_key(|(name, _)| *name);
    let trial = |(name, run): (&str, fn())| {
        Trial::test(name, move || {
            run();
            Ok(())
        })
    };
    trials.into_iter().map(trial).collect()
}
