//! The problem responses: one for each status, which all operations share. Each operation lists its own codes.

use std::collections::{BTreeMap, BTreeSet};

use poem::http::StatusCode;
use serde_json::{Value, json};

use super::{
    derive::Operation,
    error::{DocumentError, Object, object_at},
    headers::{COMMON_HEADERS, reference, usual_spelling},
};
use crate::api::schema::{MEDIA_TYPE, ProblemCode, header_of, optional_header_of};

/// Returns whether a response of an operation is a problem.
pub(super) fn is_problem(operation: &Operation, status: &str) -> bool {
    operation.problem_codes.iter().any(|code| code.status().as_str() == status)
}

/// Replaces the problem responses of an operation by references to the shared ones, and lists the operation's codes.
pub(super) fn share_problems(document: &mut Value, operation: &Operation) -> Result<(), DocumentError> {
    let codes = codes_by_status(&operation.problem_codes);

    let responses = object_at(document, &format!("{}/responses", operation.pointer()))?;
    for status in codes.keys() {
        responses
            .insert(status.as_str().to_owned(), json!({ "$ref": format!("#/components/responses/{}", name(*status)) }));
    }

    let object = object_at(document, &operation.pointer())?;
    let description = object.get("description").and_then(Value::as_str);
    let description =
        description.ok_or_else(|| DocumentError::missing(&format!("{}/description", operation.pointer())))?;
    let list: Vec<_> = codes.iter().map(|(status, codes)| format!("{} {}", status.as_str(), quoted(codes))).collect();
    let description = format!("{description}\n\n**Problems:** {}.", list.join("; "));
    object.insert("description".to_owned(), description.into());

    let names = |codes: &[ProblemCode]| codes.iter().map(|code| Value::from(code.as_str())).collect::<Value>();
    let listed: Object = codes.iter().map(|(status, codes)| (status.as_str().to_owned(), names(codes))).collect();
    object.insert("x-problem-codes".to_owned(), listed.into());
    Ok(())
}

/// Returns the shared responses, for `components`.
pub(super) fn problem_responses(operations: &[Operation], examples: &Value) -> Value {
    let codes = operations.iter().flat_map(|operation| &operation.problem_codes).copied().collect();
    let response = |(status, codes): (StatusCode, Vec<_>)| {
        let example = |code: ProblemCode| {
            Some((code.as_str().to_owned(), json!({ "value": find_example(code, operations, examples)? })))
        };
        let examples: Object = codes.into_iter().filter_map(example).collect();
        let own_headers = [header_of(status), optional_header_of(status)].into_iter().flatten();
        let own_headers = own_headers.map(|header| usual_spelling(header.as_str()));
        let headers = COMMON_HEADERS.into_iter().map(ToOwned::to_owned).chain(own_headers);
        let headers: Object = headers
            .map(|name| {
                let header = reference(&name);
                (name, header)
            })
            .collect();
        let described = json!({
            "description": format!(
                "{}. The field `code` says why; the operation lists its codes in `x-problem-codes`.",
                status.canonical_reason().unwrap_or("Problem"),
            ),
            "headers": headers,
            "content": { MEDIA_TYPE: { "schema": { "$ref": "#/components/schemas/Problem" }, "examples": examples } },
        });
        (name(status), described)
    };
    codes_by_status(&codes).into_iter().map(response).collect::<Object>().into()
}

/// Returns the name of the shared response of a status.
fn name(status: StatusCode) -> String {
    format!("Problem{}", status.as_str())
}

fn codes_by_status(codes: &BTreeSet<ProblemCode>) -> BTreeMap<StatusCode, Vec<ProblemCode>> {
    let mut by_status: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.status()).or_default().push(*code);
    }
    by_status
}

fn quoted(codes: &[ProblemCode]) -> String {
    let names: Vec<_> = codes.iter().map(|code| format!("`{}`", code.as_str())).collect();
    names.join(", ")
}

/// Finds the recorded example of a code: that of the first operation that has one.
fn find_example<'a>(code: ProblemCode, operations: &[Operation], examples: &'a Value) -> Option<&'a Value> {
    let pointer =
        |operation: &Operation| format!("/{}/responses/{}/{}", operation.id, code.status().as_str(), code.as_str());
    operations.iter().find_map(|operation| examples.pointer(&pointer(operation)))
}
