//! The OpenAPI document: derived from the Rust types of the API, then finished with the parts that poem-openapi does
//! not derive.
//!
//! [`document`] derives it once, at start. A defect fails the start, so that later code can rely on the document.

mod derive;
mod error;
mod finish;
mod headers;
mod problems;
mod requests;

use std::{collections::BTreeMap, sync::LazyLock};

use poem::http::Method;
use serde_json::{Value, json};

pub use self::error::DocumentError;
use self::{
    derive::{Operation, derive_from_types, read_operations},
    error::object_at,
    finish::finish,
    requests::{close_requests, compile_validators},
};
use super::schema::RequestValidators;

/// The finished document.
#[derive(Debug)]
pub struct Document {
    /// The document as JSON.
    pub json: String,
    /// The document as YAML, the form that is committed as `openapi.yaml`.
    pub yaml: String,
    /// The document as a value.
    pub value: Value,
    /// The validators of all request bodies.
    pub(super) request_validators: RequestValidators,
    operations: Vec<Operation>,
}

/// The document as an instance serves it, with its own URL.
#[derive(Debug)]
pub struct ServedDocument {
    pub(super) json: String,
    pub(super) yaml: String,
}

/// Returns the document. The first call derives it.
///
/// # Errors
/// Returns a [`DocumentError`] if the declarations of the API have a defect.
pub fn document() -> Result<&'static Document, &'static DocumentError> {
    static DOCUMENT: LazyLock<Result<Document, DocumentError>> = LazyLock::new(Document::derive);
    DOCUMENT.as_ref()
}

impl Document {
    fn derive() -> Result<Self, DocumentError> {
        let operations = read_operations()?;
        let mut value = derive_from_types()?;
        finish(&mut value, &operations)?;
        let request_schemas = close_requests(&mut value, &operations)?;
        let request_validators = compile_validators(&request_schemas, &value)?;

        Ok(Self { json: to_json(&value), yaml: to_yaml(&value)?, value, request_validators, operations })
    }

    /// Returns the document with `url` as its only server, so that a tool that imports it knows where to send requests.
    ///
    /// # Errors
    /// Returns a [`DocumentError`] if YAML cannot express the document.
    pub fn with_server(&self, url: &str) -> Result<ServedDocument, DocumentError> {
        let mut value = self.value.clone();
        object_at(&mut value, "")?.insert("servers".to_owned(), json!([{ "url": url }]));
        Ok(ServedDocument { json: to_json(&value), yaml: to_yaml(&value)? })
    }

    /// Returns every path with its methods and the `operationId` of each.
    pub fn paths(&self) -> Vec<(String, Vec<(Method, String)>)> {
        let mut paths: BTreeMap<String, Vec<(Method, String)>> = BTreeMap::new();
        for operation in &self.operations {
            let methods = paths.entry(operation.path.clone()).or_default();
            methods.push((operation.method.clone(), operation.id.to_owned()));
        }
        paths.into_iter().collect()
    }
}

fn to_json(value: &Value) -> String {
    format!("{value:#}\n")
}

fn to_yaml(value: &Value) -> Result<String, DocumentError> {
    serde_yaml::to_string(value).map_err(|error| DocumentError::new("writing YAML", error))
}
