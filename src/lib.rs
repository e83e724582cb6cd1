//! Vestibule: users, passwords, sessions and tokens behind one HTTP API.
//!
//! The modules form layers. A module uses only modules in lower layers:
//!
//! | layer | contents |
//! |---|---|
//! | `cli` (in the binary) | commands and exit codes |
//! | [`startup`] | from the configuration to a running server |
//! | [`config`] | settings: read, parsed, validated |
//! | [`server`] | the HTTP server, which knows no operation |
//! | [`api`] | the contract: requests, responses, the OpenAPI document |
//! | [`jobs`] | background jobs |
//! | [`domain`] | the rules |
//! | [`store`] | connections, transactions and migrations |
//! | [`entity`] | rows and queries |
//! | [`error`], [`clock`], [`ids`], [`secret`], [`secret_file`], [`json`], [`header_value`], [`metrics`], [`telemetry`] | independent modules |
//!
//! The tests in `module_graph` check the order, and that there are no cycles.

// No request may cause a panic or, in a release build, an arithmetic overflow.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::string_slice)]
#![warn(clippy::get_unwrap, clippy::panic_in_result_fn, clippy::unreachable, clippy::unwrap_in_result)]

pub mod api;
pub mod clock;
pub mod config;
pub mod domain;
pub mod entity;
pub mod error;
pub mod header_value;
pub mod ids;
pub mod jobs;
pub mod json;
pub mod metrics;
pub mod secret;
pub mod secret_file;
pub mod server;
pub mod startup;
pub mod store;
pub mod telemetry;
