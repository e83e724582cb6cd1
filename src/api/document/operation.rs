//! The operations, as their API structs declare them.

use std::collections::BTreeSet;

use poem::http::Method;
use poem_openapi::registry::MetaOperation;

use super::error::DocumentError;
use crate::api::{
    apis::ApiDeclaration,
    declaration::Link,
    extract::{APP_CODES, AUTHENTICATION_CODES},
    schema::{ProblemCode, json_body, problem_code_of},
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
    pub(super) problem_codes: BTreeSet<ProblemCode>,
    pub(super) links: Vec<Link>,
    pub(super) ends_session: bool,
}

impl Operation {
    fn read(path: &str, operation: &MetaOperation, api: &ApiDeclaration) -> Result<Self, DocumentError> {
        let method = operation.method.clone();
        let Some(id) = operation.operation_id else {
            return Err(DocumentError::MissingOperationId { method, path: path.to_owned() });
        };
        Ok(Self {
            id,
            method,
            path: path.to_owned(),
            problem_codes: problem_codes(operation, api.uses_app),
            links: api.links.iter().filter(|link| link.from == id).copied().collect(),
            ends_session: api.ends_session.contains(&id),
        })
    }

    /// Returns the JSON pointer to the operation in the document.
    pub(super) fn pointer(&self) -> String {
        let path = self.path.replace('~', "~0").replace('/', "~1");
        format!("/paths/{path}/{}", self.method.as_str().to_ascii_lowercase())
    }
}

/// Reads the operations of all APIs.
///
/// # Errors
/// If an operation has no id, or an API declares a link or an end of the session for an operation that does not exist.
pub(super) fn read_operations(apis: &[ApiDeclaration]) -> Result<Vec<Operation>, DocumentError> {
    let mut operations = Vec::new();
    for api in apis {
        let own = read_api(api)?;
        check_exist(api.ends_session.iter().copied(), &own)?;
        check_exist(api.links.iter().map(|link| link.from), &own)?;
        operations.extend(own);
    }
    let link_targets = apis.iter().flat_map(|api| api.links).map(|link| link.to);
    check_exist(link_targets, &operations)?;
    Ok(operations)
}

fn read_api(api: &ApiDeclaration) -> Result<Vec<Operation>, DocumentError> {
    let mut operations = Vec::new();
    for path in api.operations.iter().flat_map(|meta| &meta.paths) {
        for operation in &path.operations {
            operations.push(Operation::read(&path.path, operation, api)?);
        }
    }
    Ok(operations)
}

fn check_exist(mut ids: impl Iterator<Item = &'static str>, operations: &[Operation]) -> Result<(), DocumentError> {
    match ids.find(|id| operations.iter().all(|operation| operation.id != *id)) {
        Some(unknown) => Err(DocumentError::UnknownOperation(unknown)),
        None => Ok(()),
    }
}

/// Returns every problem code of an operation: those of its domain error, of its request body, of its access token, of
/// the `App`, and the common ones.
pub(super) fn problem_codes(operation: &MetaOperation, uses_app: bool) -> BTreeSet<ProblemCode> {
    let mut codes: BTreeSet<_> = operation.responses.responses.iter().filter_map(problem_code_of).collect();
    codes.extend(COMMON_CODES);
    if operation.request.is_some() {
        codes.extend(json_body::CODES);
    }
    if !operation.security.is_empty() {
        codes.extend(AUTHENTICATION_CODES.into_iter().flatten());
    }
    if uses_app {
        codes.extend(APP_CODES);
    }
    codes
}
