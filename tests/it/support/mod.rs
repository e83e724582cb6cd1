//! The harness: a service of its own for each test, a client that checks every answer, a ledger of what was seen.

#[macro_use]
pub(crate) mod trial;

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
