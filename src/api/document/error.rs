//! The error of a document that cannot be derived, and access to required parts of the document.

use std::fmt::Display;

use serde_json::{Map, Value};

/// A JSON object.
pub(super) type Object = Map<String, Value>;

/// A defect in the declarations of the API, described for developers. It prevents the start.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DocumentError(String);

impl DocumentError {
    /// Creates the error of a failed step.
    pub(super) fn new(step: &str, error: impl Display) -> Self {
        Self(format!("{step}: {error}"))
    }

    /// Creates the error of a document without the part at a JSON pointer.
    pub(super) fn missing(pointer: &str) -> Self {
        Self(format!("the document has no {pointer}, or {pointer} has the wrong JSON type"))
    }
}

/// Returns the object at a JSON pointer.
pub(super) fn object_at<'a>(value: &'a mut Value, pointer: &str) -> Result<&'a mut Object, DocumentError> {
    value.pointer_mut(pointer).and_then(Value::as_object_mut).ok_or_else(|| DocumentError::missing(pointer))
}
