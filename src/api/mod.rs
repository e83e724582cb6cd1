//! The HTTP contract: the requests, responses and problems of every operation, and the OpenAPI document of them all.
//!
//! Each resource has a file with its `…Api` struct, its request and response types, and the problems of its operations.
//! The API structs hold no state, so the document can be printed without a configuration or a database. Handlers take
//! the `App` from the request. A handler converts the request, calls one domain function, and converts the result.
//!
//! The modules in order; each uses only those before it:
//!
//! | module | content |
//! |---|---|
//! | [`schema`] | scalars, JSON bodies, problems |
//! | `problems` | the macro that declares the problems of a domain error |
//! | [`extract`] | extractors for everything in a request except its body |
//! | `declaration` | the tags and links of the document |
//! | `login`, `account`, `sessions`, `well_known`, `health` | the resources, one file for each tag of the document |
//! | `apis` | the list of all APIs |
//! | [`document`] | the OpenAPI document, derived from that list |
//! | [`docs`] | the documentation page |
//! | `routes` | the routes of operations and documentation |

mod account;
mod apis;
mod declaration;
pub mod docs;
pub mod document;
pub mod extract;
mod health;
mod login;
mod problems;
mod routes;
pub mod schema;
mod sessions;
mod well_known;

pub use self::{
    health::HEALTH_PATHS,
    routes::{ApiSettings, routes},
};
