//! Fuzz targets for everything that parses input from clients, rows or operators. Each states what must hold for any
//! input.
//!
//! All targets are in one program, because linking the service is slow. `FUZZ_TARGET` selects one. A target panics if
//! something does not hold. Many inputs begin with a letter that selects how the rest is used.

#![no_main]

mod access_token;
mod config;
mod edits;
mod forwarded;
mod injected;
mod json;
mod name;
mod phc;
mod refresh_token;
mod service;

use std::sync::LazyLock;

/// The selected target.
static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    #[expect(clippy::disallowed_methods, reason = "the fuzzer's own arguments leave no place for it")]
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    match name.as_str() {
        "access_token" => access_token::run,
        "config" => config::run,
        "forwarded" => forwarded::run,
        "json" => json::run,
        "name" => name::run,
        "phc" => phc::run,
        "injected" => injected::run,
        "refresh_token" => refresh_token::run,
        _ => panic!("FUZZ_TARGET={name} is not a target"),
    }
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| (*TARGET)(data));
