//! Test registration: an async function with `#[apply(trial)]` is a test.

use std::future::Future;

use libtest_mimic::Trial;

use super::database;
use crate::chaos;

/// A registered test.
pub(crate) struct Registered {
    /// The path of its function, starting with the crate.
    pub(crate) path: &'static str,
    /// The database it runs on, or `Servers` for PostgreSQL and MariaDB; `None` for all of them.
    pub(crate) engine: Option<&'static str>,
    pub(crate) run: fn(),
}

inventory::collect!(Registered);

/// Registers a test. To restrict it to one database, add a line after `#[apply(trial)]`: `#[on(SQLite)]`, the name of
/// another database, or `#[on(Servers)]`.
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

/// Runs a test on its own runtime.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(test);
}

/// Returns the tests of this run, sorted by name.
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
