//! Vestibule: accounts, passwords, sessions and tokens behind one HTTP API.
//!
//! A request passes `server` (plumbing), `api` (the contract), `domain` (the rules) and `entity` (the rows); a topic has
//! the same name in each. `tests/it/tidy.rs` holds the sources to this table:
//!
//! | module | may use | never names |
//! |---|---|---|
//! | `server`, `startup`, the binary | everything | |
//! | `api` | `domain`, `ids`, `secret`, `clock`, `json`; poem, `poem_openapi` | `sea_orm`, `entity`, `config` |
//! | `jobs` | `domain`, `metrics` | poem, `poem_openapi`, `api`, `config`, `entity` |
//! | `domain` | `entity`, `ids`, `secret`, `clock`, `json`, `metrics`; `sea_orm`, argon2, jsonwebtoken | poem, `poem_openapi`, http, `api`, `config`, the environment |
//! | `entity` | `ids`, `secret`, `clock`; `sea_orm` | everything else of ours, serde |
//! | `metrics` | the standard library, prometheus-client | everything of ours |
//! | `ids`, `secret`, `clock` | the standard library, uuid, time, zeroize; `sea_orm`'s value type | poem, `poem_openapi` |
//! | `json` | the standard library, `serde`, `serde_json` | everything of ours |
//! | `config` | `domain`, `telemetry` | poem, `poem_openapi`, `api`, `entity`, `server` |
//! | `telemetry` | tracing, opentelemetry | everything of ours |

// A request must meet no panic, in a release build no sum that has wrapped either.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::string_slice)]
#![warn(clippy::get_unwrap, clippy::panic_in_result_fn, clippy::unreachable, clippy::unwrap_in_result)]

pub mod api;
pub mod clock;
pub mod config;
pub mod domain;
pub mod entity;
pub mod ids;
pub mod jobs;
pub mod json;
pub mod metrics;
pub mod secret;
pub mod server;
pub mod startup;
pub mod telemetry;
