//! Finishing: what the document says beside what poem-openapi derives.

use poem_openapi::Tags as _;
use serde_json::Value;

use super::{
    access::{array_at, object_at},
    error::DocumentError,
    examples::Examples,
    finish_operation::finish_operation,
    headers::shared_headers,
    operation::Operation,
};
use crate::api::{declaration::Tag, schema::ProblemCode};

/// The newest version of OpenAPI that every client generator in use accepts.
const OPENAPI_VERSION: &str = "3.0.3";

/// Finishes the derived document.
pub(super) fn finish(document: &mut Value, operations: &[Operation], examples: &Examples) -> Result<(), DocumentError> {
    object_at(document, "")?.insert("openapi".to_owned(), OPENAPI_VERSION.into());
    order_tags(document)?;
    for operation in operations {
        finish_operation(object_at(document, &operation.pointer())?, operation, examples)?;
    }
    object_at(document, "/components")?.insert("headers".to_owned(), shared_headers());
    list_problem_codes(document)?;
    write_whole_numbers(document);
    Ok(())
}

fn order_tags(document: &mut Value) -> Result<(), DocumentError> {
    let position = |tag: &Value| {
        let name = tag.get("name");
        Tag::ALL.iter().position(|known| name.is_some_and(|name| name == known.name()))
    };

    let tags = array_at(document, "/tags")?;
    if let Some(unlisted) = tags.iter().find(|tag| position(tag).is_none()) {
        return Err(DocumentError::UnlistedTag(unlisted.to_string()));
    }
    tags.sort_by_key(position);
    Ok(())
}

/// Lists the known codes in `x-extensible-enum`: generated clients fail on an unknown value of an `enum`.
fn list_problem_codes(document: &mut Value) -> Result<(), DocumentError> {
    let codes = ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
    let schema = object_at(document, "/components/schemas/Problem/properties/code")?;
    schema.insert("x-extensible-enum".to_owned(), codes);
    Ok(())
}

/// Writes whole numbers without a fraction: poem-openapi keeps bounds as floating-point numbers, such as `599.0`.
fn write_whole_numbers(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(write_whole_numbers),
        Value::Array(items) => items.iter_mut().for_each(write_whole_numbers),
        Value::Number(number) if number.is_f64() => {
            let whole = number.as_f64().filter(|float| float.fract() == 0.0).map(|float| format!("{float:.0}"));
            if let Some(whole) = whole.and_then(|text| text.parse::<i64>().ok()) {
                *value = whole.into();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
