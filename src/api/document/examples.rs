//! The examples: one recorded exchange for each operation and response.

use serde_json::Value;

use super::error::DocumentError;
use crate::json;

/// The tests record these exchanges and compare them with what the service sends.
const RECORDED: &str = include_str!("examples.json");

/// The recorded examples. One that is missing is left out of the document, so that the tests can run to record it; they
/// fail until it is there.
pub(super) struct Examples(Value);

impl Examples {
    /// Parses the recorded examples.
    pub(super) fn read() -> Result<Self, DocumentError> {
        let value = json::read(RECORDED.as_bytes());
        value.map(Self).map_err(|source| DocumentError::Json { what: "src/api/document/examples.json", source })
    }

    /// Returns the request body of an operation.
    pub(super) fn request(&self, operation_id: &str) -> Option<&Value> {
        self.0.get(operation_id)?.get("request")
    }

    /// Returns the body of a response without a problem.
    pub(super) fn response(&self, operation_id: &str, status: &str) -> Option<&Value> {
        self.0.get(operation_id)?.get("responses")?.get(status)
    }

    /// Returns the body of a problem response.
    pub(super) fn problem(&self, operation_id: &str, status: &str, code: &str) -> Option<&Value> {
        self.response(operation_id, status)?.get(code)
    }
}
