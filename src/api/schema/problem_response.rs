//! The problem responses of an operation, declared once for each domain error.

use std::marker::PhantomData;

use poem::Error;
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};

use super::{
    problem::{MEDIA_TYPE, Problem, ProblemBody},
    problem_code::ProblemCode,
};
use crate::error::ServiceError;

/// A domain error that clients receive as a problem.
pub(crate) trait IntoProblem: Into<Problem> {
    /// The problem codes that operations with this error document. `internal` is left out: every operation has it.
    const CODES: &'static [ProblemCode];
}

/// The error of a handler's result: a problem. It documents the problem codes of the domain error `E`.
pub(crate) struct ProblemResponse<E> {
    problem: Problem,
    error: PhantomData<fn() -> E>,
}

impl<E: IntoProblem> From<E> for ProblemResponse<E> {
    fn from(error: E) -> Self {
        Self { problem: error.into(), error: PhantomData }
    }
}

impl<E> From<ProblemResponse<E>> for Error {
    fn from(response: ProblemResponse<E>) -> Self {
        response.problem.into()
    }
}

impl<E: IntoProblem> ApiResponse for ProblemResponse<E> {
    /// Returns one entry for each code, with the code as its description. The document merges the entries by status.
    fn meta() -> MetaResponses {
        MetaResponses { responses: E::CODES.iter().copied().map(problem_response_meta).collect() }
    }

    fn register(registry: &mut Registry) {
        ProblemBody::register(registry);
    }
}

/// Returns the entry of a problem code.
pub(crate) fn problem_response_meta(code: ProblemCode) -> MetaResponse {
    MetaResponse {
        description: code.as_str(),
        status: Some(code.status().as_u16()),
        status_range: None,
        content: vec![MetaMediaType { content_type: MEDIA_TYPE, schema: ProblemBody::schema_ref() }],
        headers: Vec::new(),
    }
}

/// Returns the problem code of an entry, or `None` if the entry is not a problem.
pub(crate) fn problem_code_of(response: &MetaResponse) -> Option<ProblemCode> {
    ProblemCode::ALL.iter().copied().find(|code| code.as_str() == response.description)
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        let problem = Self::new(ProblemCode::from(&error));
        match error {
            ServiceError::RateLimited { retry_after } => problem.with_retry_after(retry_after),
            ServiceError::Busy { retry_after } => problem.with_retry_after(retry_after).with_cause(error.chain()),
            ServiceError::Unavailable { .. } | ServiceError::Internal { .. } => problem.with_cause(error.chain()),
        }
    }
}

/// The problems of operations without errors of their own. None of them hashes a password or has a rate limit.
impl IntoProblem for ServiceError {
    const CODES: &'static [ProblemCode] = &[ProblemCode::Unavailable];
}
