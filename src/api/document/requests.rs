//! Request schemas: closed to unknown members, and compiled to validate requests.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    derive::Operation,
    error::{DocumentError, object_at},
};
use crate::api::schema::RequestValidators;

/// Adds `additionalProperties: false` to the objects of all requests and returns the names of their schemas. Response
/// objects stay open, so that a new member breaks no client.
pub(super) fn close_requests(
    document: &mut Value,
    operations: &[Operation],
) -> Result<BTreeSet<String>, DocumentError> {
    let mut pending = Vec::new();
    for operation in operations {
        if let Some(body) = object_at(document, &operation.pointer())?.get("requestBody") {
            collect_references(body, &mut pending);
        }
    }

    let mut closed = BTreeSet::new();
    while let Some(name) = pending.pop() {
        if closed.insert(name.clone()) {
            let pointer = format!("/components/schemas/{name}");
            let schema = document.pointer_mut(&pointer).ok_or_else(|| DocumentError::missing(&pointer))?;
            close_objects(schema);
            collect_references(schema, &mut pending);
        }
    }
    Ok(closed)
}

/// Compiles the schemas with these names.
pub(super) fn compile_validators(
    names: &BTreeSet<String>,
    document: &Value,
) -> Result<RequestValidators, DocumentError> {
    let mut validators = RequestValidators::default();
    for name in names {
        validators.add(name, document).map_err(|error| DocumentError::new(&format!("compiling {name}"), error))?;
    }
    Ok(validators)
}

/// Adds `additionalProperties: false` to every object of a schema, so that unknown members are rejected.
fn close_objects(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.get("type").is_some_and(|kind| kind == "object") {
                members.entry("additionalProperties").or_insert(Value::Bool(false));
            }
            members.values_mut().for_each(close_objects);
        }
        Value::Array(items) => items.iter_mut().for_each(close_objects),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Collects the names of the schemas to which a value refers.
fn collect_references(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            let name = members.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
            names.extend(name.map(ToOwned::to_owned));
            members.values().for_each(|member| collect_references(member, names));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
