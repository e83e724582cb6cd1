//! Finishing one operation: security, links, headers, problems and examples.

use serde_json::{Value, json};

use super::{
    access::{Object, object_at, object_in},
    error::DocumentError,
    examples::Examples,
    headers::{add_problem_header, finish_headers},
    operation::Operation,
};
use crate::api::{
    declaration::Link,
    schema::{MEDIA_TYPE, ProblemCode, header_of},
};

/// Finishes the object of an operation.
pub(super) fn finish_operation(
    object: &mut Object,
    operation: &Operation,
    examples: &Examples,
) -> Result<(), DocumentError> {
    object.entry("security").or_insert(json!([]));
    if operation.ends_session {
        object.insert("x-ends-session".to_owned(), true.into());
    }
    if let Some(parameters) = object.get_mut("parameters") {
        remove_defaults(parameters);
    }
    if let Some(body) = object.get_mut("requestBody") {
        add_example(body, examples.request(operation.id));
    }

    let responses = object_in(object, "responses")?;
    for (status, response) in responses.iter_mut() {
        finish_response(response, status, operation, examples)?;
    }
    for link in &operation.links {
        add_link(responses, link)?;
    }
    Ok(())
}

/// Removes the members of parameters that only repeat OpenAPI's defaults.
fn remove_defaults(parameters: &mut Value) {
    for parameter in parameters.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        parameter.retain(|name, _| name != "deprecated" && name != "explode");
    }
}

/// Adds the example of a JSON body.
fn add_example(body: &mut Value, example: Option<&Value>) {
    let media_type = body.pointer_mut("/content/application~1json").and_then(Value::as_object_mut);
    if let (Some(media_type), Some(example)) = (media_type, example) {
        media_type.insert("example".to_owned(), example.clone());
    }
}

fn finish_response(
    response: &mut Value,
    status: &str,
    operation: &Operation,
    examples: &Examples,
) -> Result<(), DocumentError> {
    add_example(response, examples.response(operation.id, status));

    let response = object_at(response, "")?;
    finish_headers(response);
    let codes = operation.problem_codes.iter().copied().filter(|code| code.status().as_str() == status);
    let codes: Vec<_> = codes.collect();
    if codes.is_empty() { Ok(()) } else { describe_problems(response, &codes, status, operation, examples) }
}

/// Describes the problem codes of one status, with the header that they carry and an example of each.
fn describe_problems(
    response: &mut Object,
    codes: &[ProblemCode],
    status: &str,
    operation: &Operation,
    examples: &Examples,
) -> Result<(), DocumentError> {
    let lines: Vec<_> = codes.iter().map(|code| format!("- `{}`: {}.", code.as_str(), code.title())).collect();
    response.insert("description".to_owned(), lines.join("\n").into());
    response.insert("x-problem-codes".to_owned(), codes.iter().map(|code| code.as_str()).collect());
    if let Some(header) = codes.iter().find_map(|code| header_of(code.status())) {
        add_problem_header(response, &header)?;
    }

    let example = |code: &ProblemCode| {
        let body = examples.problem(operation.id, status, code.as_str())?;
        Some((code.as_str().to_owned(), json!({ "value": body })))
    };
    let examples = codes.iter().filter_map(example).collect();
    let media_type = object_in(object_in(response, "content")?, MEDIA_TYPE)?;
    media_type.insert("examples".to_owned(), Value::Object(examples));
    Ok(())
}

fn add_link(responses: &mut Object, link: &Link) -> Result<(), DocumentError> {
    let response = object_in(responses, &link.status.to_string())?;
    response.entry("links").or_insert(json!({}));
    let described =
        json!({ "operationId": link.to, "description": link.description, "requestBody": link.request_body });
    object_in(response, "links")?.insert(link.name.to_owned(), described);
    Ok(())
}
