//! The OpenAPI document: derived from the Rust types of the API, then finished with what poem-openapi does not say.
//!
//! [`document`] derives it once, at start. A defect fails the start, so that later code can rely on the document.

mod access;
mod derive;
mod error;
mod examples;
mod finish;
mod finish_operation;
mod headers;
mod operation;
mod requests;
mod types;

pub(super) use self::types::TITLE;
pub use self::{
    derive::{Document, document},
    error::DocumentError,
};
