//! The test harness: a service for each test, a client that checks every response, and the response coverage.

#[macro_use]
pub(crate) mod trial;

pub(crate) mod app;
pub(crate) mod canary;
pub(crate) mod client;
pub(crate) mod collector;
pub(crate) mod contract;
pub(crate) mod coverage;
pub(crate) mod database;
pub(crate) mod database_server;
pub(crate) mod forge;
pub(crate) mod process;
pub(crate) mod property;
pub(crate) mod results;
pub(crate) mod settings;
pub(crate) mod usage;

use vestibule::api::document::Document;

pub(crate) use self::{
    app::{Fault, TestApp},
    settings::Settings,
};

/// Returns the OpenAPI document.
pub(crate) fn document() -> &'static Document {
    vestibule::api::document::document().unwrap()
}

/// Returns how many rounds a long test runs: `full` if FULL is set, `short` otherwise.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting")]
pub(crate) fn rounds(short: usize, full: usize) -> usize {
    if std::env::var_os("FULL").is_some() { full } else { short }
}
