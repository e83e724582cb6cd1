//! Integration tests: they test the service from outside, on a real database, and check every response against the
//! OpenAPI document. After the last test, `support::coverage::finish` checks the contract in both directions: every
//! received response is declared, and every declared response was received.

// The futures of a whole service are deeply nested types.
#![recursion_limit = "256"]
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[macro_use]
extern crate macro_rules_attribute;

#[macro_use]
mod support;

mod access_control;
mod audit;
mod backup;
mod chaos;
mod checks;
mod cli;
mod clocks;
mod config;
mod config_output;
mod conventions;
mod cors;
mod database_files;
mod database_logins;
mod database_url;
mod deploy;
mod document;
mod environment;
mod first_start;
mod forged_tokens;
mod forwarded;
mod full_hash_queue;
mod guides;
mod harness;
mod hashing;
mod health;
mod interleavings;
mod keys;
mod known_networks;
mod limits;
mod listen;
mod log_filter;
mod login;
mod logs;
mod malformed;
mod me;
mod metrics_formats;
mod middleware;
mod model;
mod module_graph;
mod names;
mod password;
mod payloads;
mod pool;
mod public_url;
mod races;
mod rate_limit_rows;
mod rate_limits;
mod refresh;
mod register;
mod schema;
mod secret_files;
mod sessions;
mod shown_values;
mod slow_clients;
mod smuggling;
mod start_checks;
mod telemetry;
mod tls;
mod tokens;
mod users;
mod well_known;
mod write_conflicts;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    support::app::hide_injected_panics();
    let canary = support::canary::StderrCapture::start();
    let arguments = Arguments::from_args();
    let partial = arguments.filter.is_some() || !arguments.skip.is_empty() || arguments.list;
    let trials = support::trial::all();
    checks::note(&trials, &arguments, partial);
    let conclusion = libtest_mimic::run(&arguments, trials);
    support::database::clean_up();
    let canary_exit_code = canary.map_or(ExitCode::SUCCESS, support::canary::StderrCapture::finish);
    if canary_exit_code != ExitCode::SUCCESS {
        return canary_exit_code;
    }
    if partial || (conclusion.has_failed() && !support::coverage::is_recording()) {
        return conclusion.exit_code();
    }
    support::coverage::finish()
}
