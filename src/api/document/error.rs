//! Why the document cannot be derived.

use jsonschema::ValidationError;
use poem::http::Method;

/// A defect of the API's declarations. It appears at start and in every test.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The derived document or the examples are not JSON, or a member stands twice.
    #[error("{what}: invalid JSON: {source}")]
    Json {
        /// What was parsed.
        what: &'static str,
        /// The parser's error.
        source: serde_json::Error,
    },
    /// The document has no YAML form.
    #[error("the document cannot be written as YAML: {0}")]
    Yaml(#[source] serde_yaml::Error),
    /// An operation has no `operationId`.
    #[error("{method} {path} has no operation_id")]
    MissingOperationId {
        /// The operation's method.
        method: Method,
        /// The operation's path.
        path: String,
    },
    /// A link or `x-ends-session` names an operation that does not exist.
    #[error(
        "LINKS or ENDS_SESSION of an API names the operation {0:?}, which does not exist or belongs to another API"
    )]
    UnknownOperation(&'static str),
    /// A tag has no place in the order of tags.
    #[error("the tag {0} is missing in Tag::ALL")]
    UnlistedTag(String),
    /// A part of the derived document is missing or has another type.
    #[error("the derived document has no {kind} at {place:?}")]
    MissingPart {
        /// The expected JSON type.
        kind: &'static str,
        /// The JSON pointer to the part, or the name of the member.
        place: String,
    },
    /// The schema of a request cannot check requests.
    #[error("the schema {name} cannot be compiled: {source}")]
    RequestSchema {
        /// The schema's name.
        name: String,
        /// The validator's error.
        source: Box<ValidationError<'static>>,
    },
}
