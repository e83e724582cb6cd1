//! Fuzz targets: what must hold for any input of the places that read what strangers, rows and operators write.
//!
//! All targets are one program, because the service is dear to link; `FUZZ_TARGET` says which one runs. A target ends
//! in a panic where something does not hold. An input often begins with a letter that says how the rest is used.

#![no_main]

mod access_token;
mod config;
mod edits;
mod forwarded;
mod json;
mod name;
mod phc;
mod planted;
mod refresh_token;
mod service;

use std::sync::LazyLock;

/// The target that runs.
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
        "planted" => planted::run,
        "refresh_token" => refresh_token::run,
        _ => panic!("FUZZ_TARGET={name} is no target"),
    }
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| (*TARGET)(data));
