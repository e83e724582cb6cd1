//! The finished document and how it is derived.

use std::{collections::BTreeMap, sync::LazyLock};

use poem::http::Method;
use serde_json::Value;

use super::{
    error::DocumentError,
    examples::Examples,
    finish::finish,
    operation::{Operation, read_operations},
    requests::{close_requests, compile_validators},
    types::derive_from_types,
};
use crate::api::{apis, schema::RequestValidators};

/// The finished document.
#[derive(Debug)]
pub struct Document {
    /// The document as JSON.
    pub json: String,
    /// The document as YAML, the form that is committed as `openapi.yaml`.
    pub yaml: String,
    /// The document as a value.
    pub value: Value,
    operations: Vec<Operation>,
    request_validators: RequestValidators,
}

/// Returns the document, which the first call derives.
///
/// # Errors
/// [`DocumentError`], the same for every call.
pub fn document() -> Result<&'static Document, &'static DocumentError> {
    static DOCUMENT: LazyLock<Result<Document, DocumentError>> = LazyLock::new(Document::derive);
    DOCUMENT.as_ref()
}

impl Document {
    fn derive() -> Result<Self, DocumentError> {
        let operations = read_operations(&apis::declarations())?;

        let mut value = derive_from_types()?;
        finish(&mut value, &operations, &Examples::read()?)?;
        let request_schemas = close_requests(&mut value, &operations)?;
        let request_validators = compile_validators(&request_schemas, &value)?;

        let json = serde_json::to_string_pretty(&value)
            .map_err(|source| DocumentError::Json { what: "the finished document", source })?;
        let yaml = serde_yaml::to_string(&value).map_err(DocumentError::Yaml)?;
        Ok(Self { json: json + "\n", yaml, value, operations, request_validators })
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

    /// Returns the validators of all request bodies.
    pub(in crate::api) const fn request_validators(&self) -> &RequestValidators {
        &self.request_validators
    }
}
