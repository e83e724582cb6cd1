//! Request schemas: closed to unknown members, and compiled to check requests.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    access::{value_at, value_at_mut},
    error::DocumentError,
    operation::Operation,
};
use crate::api::schema::{RequestValidators, close_objects};

/// Adds `additionalProperties: false` to the objects of all requests and returns the names of their schemas. Response
/// objects stay open, so that a new member breaks no client.
pub(super) fn close_requests(
    document: &mut Value,
    operations: &[Operation],
) -> Result<BTreeSet<String>, DocumentError> {
    let mut pending = Vec::new();
    for operation in operations {
        if let Some(body) = value_at(document, &operation.pointer())?.get("requestBody") {
            collect_references(body, &mut pending);
        }
    }

    let mut closed = BTreeSet::new();
    while let Some(name) = pending.pop() {
        if closed.insert(name.clone()) {
            let schema = value_at_mut(document, &format!("/components/schemas/{name}"))?;
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
    let components = value_at(document, "/components")?;
    let mut validators = RequestValidators::default();
    for name in names {
        validators
            .add(name, components)
            .map_err(|source| DocumentError::RequestSchema { name: name.clone(), source: Box::new(source) })?;
    }
    Ok(validators)
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
