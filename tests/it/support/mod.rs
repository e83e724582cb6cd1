//! The harness: a service of its own for each test, a client that checks every answer, a ledger of what was seen.

pub(crate) mod app;
pub(crate) mod canary;
pub(crate) mod client;
pub(crate) mod collector;
pub(crate) mod contract;
pub(crate) mod database;
pub(crate) mod engine;
pub(crate) mod figures;
pub(crate) mod forge;
pub(crate) mod ledger;
pub(crate) mod process;
pub(crate) mod property;
pub(crate) mod settings;
pub(crate) mod usage;

use std::future::Future;

use libtest_mimic::Trial;
use vestibule::api::document::Document;

pub(crate) use self::{
    app::{Fault, TestApp},
    settings::Settings,
};

/// The document.
pub(crate) fn document() -> &'static Document {
    vestibule::api::document::document().unwrap()
}

/// How often a long test repeats itself: less often than for the figures unless FULL is set.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting")]
pub(crate) fn rounds(short: usize, full: usize) -> usize {
    if std::env::var_os("FULL").is_some() { full } else { short }
}

/// A test: an async function on a runtime of its own.
pub(crate) fn trial<F: Future<Output = ()> + 'static>(name: &str, test: fn() -> F) -> Trial {
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(test());
        Ok(())
    })
}

/// Lists the tests of a file; one that is forgotten here is dead code, which the lints refuse. After `on SQLite:`, or the
/// name of another database, or `on Servers:`, stand those that say something about these alone.
#[macro_export]
macro_rules! trials {
    ($($test:ident),* $(,)? $(; on $engine:ident: $($only:ident),* $(,)?)*) => {
        pub(crate) fn trials() -> Vec<libtest_mimic::Trial> {
            let (_, file) = module_path!().split_once("::").unwrap_or_default();
            let trials = [
                vec![$($crate::support::trial(&format!("{file}::{}", stringify!($test)), $test)),*],
                $(if $crate::support::database::runs_on(stringify!($engine)) {
                    vec![$($crate::support::trial(&format!("{file}::{}", stringify!($only)), $only)),*]
                } else {
                    Vec::new()
                }),*
            ];
            trials.into_iter().flatten().collect()
        }
    };
}
