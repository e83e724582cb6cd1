//! The operations and the document as poem-openapi derives them from the Rust types.

use std::collections::{BTreeSet, HashMap};

use poem::{endpoint::BoxEndpoint, http::Method};
use poem_openapi::{
    OpenApi,
    registry::{MetaApi, MetaOperation, Registry},
};
use serde_json::Value;

use super::error::DocumentError;
use crate::{
    api::{
        apis::{Apis, service},
        extract::AUTHENTICATION_CODES,
        schema::{ProblemCode, escape_pointer, json_body, problem_code_of, problem_response_meta},
    },
    json,
};

/// The problem codes of every operation: the server returns them before or around the handler.
const COMMON_CODES: &[ProblemCode] = &[
    ProblemCode::BadFraming,
    ProblemCode::BodyTooLarge,
    ProblemCode::UriTooLong,
    ProblemCode::HeadersTooLarge,
    ProblemCode::Internal,
    ProblemCode::TimedOut,
];

/// An operation of the API.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) id: &'static str,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) tags: Vec<&'static str>,
    pub(super) problem_codes: BTreeSet<ProblemCode>,
}

impl Operation {
    /// Returns the JSON pointer to the operation in the document.
    pub(super) fn pointer(&self) -> String {
        format!("/paths/{}/{}", escape_pointer(&self.path), self.method.as_str().to_ascii_lowercase())
    }
}

/// Reads the operations of all APIs.
pub(super) fn read_operations() -> Result<Vec<Operation>, DocumentError> {
    let mut operations = Vec::new();
    for path in Apis::meta().into_iter().flat_map(|api| api.paths) {
        for operation in path.operations {
            let place = || format!("{} {}", operation.method, path.path);
            let id = operation.operation_id.ok_or_else(|| DocumentError::new(&place(), "has no operation_id"))?;
            let problem_codes = problem_codes(&operation);
            let MetaOperation { method, tags, .. } = operation;
            operations.push(Operation { id, method, path: path.path.clone(), tags, problem_codes });
        }
    }
    Ok(operations)
}

/// Derives the document.
///
/// # Errors
/// Returns a [`DocumentError`] if two APIs have the same path, because the document then repeats a member.
pub(super) fn derive_from_types() -> Result<Value, DocumentError> {
    let spec = service(MergedResponses).spec();
    json::read(spec.as_bytes()).map_err(|error| DocumentError::new("reading the derived document", error))
}

/// Returns every problem code of an operation: the codes of its domain error, of its request body and of its access
/// token, and the common ones.
fn problem_codes(operation: &MetaOperation) -> BTreeSet<ProblemCode> {
    let mut codes: BTreeSet<_> = operation.responses.responses.iter().filter_map(problem_code_of).collect();
    codes.extend(COMMON_CODES);
    if operation.request.is_some() {
        codes.extend(json_body::CODES);
    }
    if !operation.security.is_empty() {
        codes.extend(AUTHENTICATION_CODES.into_iter().flatten());
    }
    codes
}

/// The APIs with one problem response for each status. Handlers list their problems by code. Several codes have the
/// same status, so without the merge the document would repeat a member.
struct MergedResponses;

impl OpenApi for MergedResponses {
    fn meta() -> Vec<MetaApi> {
        let mut apis = Apis::meta();
        for path in apis.iter_mut().flat_map(|api| &mut api.paths) {
            path.operations.iter_mut().for_each(merge_problems);
        }
        apis
    }

    fn register(registry: &mut Registry) {
        Apis::register(registry);
    }

    fn add_routes(self, _: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {}
}

fn merge_problems(operation: &mut MetaOperation) {
    let mut statuses = BTreeSet::new();
    let codes = problem_codes(operation).into_iter();
    let one_per_status = codes.filter(|code| statuses.insert(code.status()));

    let responses = &mut operation.responses.responses;
    responses.retain(|response| problem_code_of(response).is_none());
    responses.extend(one_per_status.map(problem_response_meta));
    responses.sort_by_key(|response| response.status);
}
