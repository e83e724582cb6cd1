//! Request validation: each request body is checked against its schema in the document.

use std::collections::HashMap;

use jsonschema::{
    Draft, ValidationError, Validator,
    error::{
        TypeKind,
        ValidationErrorKind::{AdditionalProperties, MaxLength, MinLength, Pattern, Required, Type as JsonType},
    },
};
use poem_openapi::types::Type;
use serde_json::{Value, json};

use super::{
    problem::{FieldError, Problem},
    problem_code::ProblemCode,
};
use crate::domain::name::{self, InvalidName, Name};

/// The maximum number of field errors in one response. It keeps the response small if a body has many unknown members.
const MAX_ERRORS: usize = 16;
/// The longest name of an unknown member that a pointer repeats, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// The validators of all request bodies, by schema name.
#[derive(Debug, Default)]
pub(crate) struct RequestValidators(HashMap<String, Validator>);

impl RequestValidators {
    /// Compiles the schema `name` of the document.
    pub(crate) fn add(&mut self, name: &str, document: &Value) -> Result<(), ValidationError<'static>> {
        let schema = json!({
            "allOf": [{ "$ref": format!("#/components/schemas/{name}") }],
            "components": document["components"],
        });
        let validator = jsonschema::options().with_draft(Draft::Draft4).build(&schema)?;
        self.0.insert(name.to_owned(), validator);
        Ok(())
    }

    /// Checks that `body` satisfies the schema of `T`.
    ///
    /// # Errors
    /// Returns the problem `invalid_request`, with a field error for each violation.
    pub(super) fn validate<T: Type>(&self, body: &Value) -> Result<(), Problem> {
        let name = T::name();
        let validator = self.0.get(&*name).ok_or_else(|| Problem::internal(format!("{name} has no validator")))?;

        let violations = validator.iter_errors(body);
        let errors = violations.flat_map(|error| describe(&error));
        let errors: Vec<_> = errors.take(MAX_ERRORS).collect();
        if errors.is_empty() { Ok(()) } else { Err(Problem::new(ProblemCode::InvalidRequest).with_errors(errors)) }
    }
}

/// Describes one violation. The description never repeats a value of the request, which may be a password. Of a
/// username, it names one character.
fn describe(error: &ValidationError<'_>) -> Vec<FieldError> {
    let pointer = error.instance_path().as_str();
    let (code, detail) = match error.kind() {
        AdditionalProperties { unexpected } => return describe_unknown_members(pointer, unexpected),
        Required { property: Value::String(name) } => {
            return vec![FieldError::new(member_pointer(pointer, name), "required", "is required")];
        }
        JsonType { kind: TypeKind::Single(kind) } => ("wrong_type", format!("must be of JSON type {kind}")),
        JsonType { kind: TypeKind::Multiple(_) } => ("wrong_type", "has the wrong JSON type".to_owned()),
        MinLength { limit } => ("too_short", format!("must have at least {limit} characters")),
        MaxLength { limit } => ("too_long", format!("must have at most {limit} characters")),
        Pattern { pattern } if pattern == name::PATTERN => return describe_username(pointer, error.instance()),
        Pattern { .. } => ("wrong_form", "does not match the pattern of its schema".to_owned()),
        other => ("invalid", format!("violates the keyword {} of its schema", other.keyword())),
    };
    vec![FieldError::new(pointer, code, detail)]
}

/// Describes a text that is no username. A text that is too long or empty violates another keyword too, which says so.
fn describe_username(pointer: &str, value: &Value) -> Vec<FieldError> {
    match value.as_str().map(Name::parse) {
        Some(Err(InvalidName::Empty | InvalidName::TooLong)) | None => Vec::new(),
        Some(Err(reason)) => vec![FieldError::new(pointer, "wrong_form", reason.to_string())],
        Some(Ok(_)) => vec![FieldError::new(pointer, "wrong_form", "does not match the pattern of its schema")],
    }
}

fn describe_unknown_members(pointer: &str, names: &[String]) -> Vec<FieldError> {
    let describe_one = |name: &String| {
        let place = if name.len() > MAX_NAME_BYTES { pointer.to_owned() } else { member_pointer(pointer, name) };
        FieldError::new(place, "unknown", "is not a known field; remove it")
    };
    names.iter().take(MAX_ERRORS).map(describe_one).collect()
}

/// Returns the pointer to a member of the object at `pointer`.
fn member_pointer(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", escape_pointer(name))
}

/// Escapes a member's name for a JSON pointer (RFC 6901 section 3).
pub(crate) fn escape_pointer(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
