//! Finishing: adds the parts of the document that poem-openapi does not derive.

use serde_json::{Value, json};

use super::{
    derive::Operation,
    error::{DocumentError, object_at},
    headers::{finish_headers, shared_headers},
    problems::{is_problem, problem_responses, share_problems},
};
use crate::{
    api::{apis::LINKS, schema::ProblemCode, sessions::ENDS_SESSION},
    json::read,
};

/// The newest version of OpenAPI that every client generator in use accepts.
const OPENAPI_VERSION: &str = "3.0.3";
/// The recorded examples: one exchange for each operation and response. The tests record them, and compare them with
/// the responses of the service. The document omits a missing example, so that the tests can run and record it. They
/// fail until it exists.
const EXAMPLES: &str = include_str!("examples.json");

/// Finishes the derived document.
pub(super) fn finish(document: &mut Value, operations: &[Operation]) -> Result<(), DocumentError> {
    let examples: Value =
        read(EXAMPLES.as_bytes()).map_err(|error| DocumentError::new("reading examples.json", error))?;

    object_at(document, "")?.insert("openapi".to_owned(), OPENAPI_VERSION.into());
    order_tags(document, operations)?;
    for operation in operations {
        finish_operation(document, operation, &examples)?;
    }
    mark_ends_of_sessions(document, operations)?;
    add_links(document, operations)?;
    let components = object_at(document, "/components")?;
    components.insert("headers".to_owned(), shared_headers());
    components.insert("responses".to_owned(), problem_responses(operations, &examples));
    list_problem_codes(document)?;
    write_whole_numbers(document);
    Ok(())
}

/// Puts the tags in the order of their first operations.
fn order_tags(document: &mut Value, operations: &[Operation]) -> Result<(), DocumentError> {
    let tags = document.pointer_mut("/tags").and_then(Value::as_array_mut);
    let tags = tags.ok_or_else(|| DocumentError::missing("/tags"))?;
    let has_tag = |operation: &Operation, tag: &Value| operation.tags.iter().any(|name| tag["name"] == *name);
    tags.sort_by_key(|tag| operations.iter().position(|operation| has_tag(operation, tag)));
    Ok(())
}

fn finish_operation(document: &mut Value, operation: &Operation, examples: &Value) -> Result<(), DocumentError> {
    let object = object_at(document, &operation.pointer())?;
    object.entry("security").or_insert(json!([]));
    if let Some(Value::Array(parameters)) = object.get_mut("parameters") {
        parameters.iter_mut().for_each(remove_defaults);
    }
    if let Some(body) = object.get_mut("requestBody") {
        let example = examples.pointer(&format!("/{}/request", operation.id));
        add_example(body, example);
        let reference = body.pointer("/content/application~1json/schema/$ref").and_then(Value::as_str);
        if let (Some(pointer), Some(example)) = (reference.map(ToOwned::to_owned), example) {
            add_member_examples(document, pointer.trim_start_matches('#'), example)?;
        }
    }

    let responses = object_at(document, &format!("{}/responses", operation.pointer()))?;
    for (status, response) in responses.iter_mut().filter(|(status, _)| !is_problem(operation, status)) {
        finish_headers(object_at(response, "")?);
        add_example(response, examples.pointer(&format!("/{}/responses/{status}", operation.id)));
    }
    share_problems(document, operation)
}

/// Removes the members of a parameter that only repeat OpenAPI's defaults.
fn remove_defaults(parameter: &mut Value) {
    if let Some(parameter) = parameter.as_object_mut() {
        parameter.retain(|name, _| name != "deprecated" && name != "explode");
    }
}

/// Adds the members of an example to the members of its schema, for tools that build requests from single fields.
fn add_member_examples(document: &mut Value, schema: &str, example: &Value) -> Result<(), DocumentError> {
    let properties = object_at(document, &format!("{schema}/properties"))?;
    for (name, member) in properties {
        if let (Some(member), Some(value)) = (member.as_object_mut(), example.get(name)) {
            member.insert("example".to_owned(), value.clone());
        }
    }
    Ok(())
}

/// Adds the example of a JSON body.
fn add_example(body: &mut Value, example: Option<&Value>) {
    let media_type = body.pointer_mut("/content/application~1json").and_then(Value::as_object_mut);
    if let (Some(media_type), Some(example)) = (media_type, example) {
        media_type.insert("example".to_owned(), example.clone());
    }
}

fn mark_ends_of_sessions(document: &mut Value, operations: &[Operation]) -> Result<(), DocumentError> {
    for id in ENDS_SESSION {
        object_at(document, &find(operations, id)?.pointer())?.insert("x-ends-session".to_owned(), true.into());
    }
    Ok(())
}

fn add_links(document: &mut Value, operations: &[Operation]) -> Result<(), DocumentError> {
    for link in LINKS {
        find(operations, link.to)?;
        let response = format!("{}/responses/{}", find(operations, link.from)?.pointer(), link.status);
        object_at(document, &response)?.entry("links").or_insert(json!({}));
        let described =
            json!({ "operationId": link.to, "description": link.description, "requestBody": link.request_body });
        object_at(document, &format!("{response}/links"))?.insert(link.name.to_owned(), described);
    }
    Ok(())
}

/// Finds the operation that `LINKS` or `ENDS_SESSION` names.
fn find<'a>(operations: &'a [Operation], id: &str) -> Result<&'a Operation, DocumentError> {
    let found = operations.iter().find(|operation| operation.id == id);
    found.ok_or_else(|| DocumentError::new("LINKS or ENDS_SESSION", format!("there is no operation {id}")))
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
