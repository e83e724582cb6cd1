//! Refusals: a domain error as the problems of one operation.

use std::marker::PhantomData;

use poem::Error;
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};

use super::problem::{MEDIA_TYPE, Problem, ProblemBody, ProblemCode};

/// A domain error that operations answer with problems.
pub(super) trait Refusal: Into<Problem> {
    /// The codes that it can become, beside `internal`.
    const CODES: &'static [ProblemCode];
}

/// The failure side of an operation's result: it documents exactly the codes of `E`.
pub(super) struct Refused<E> {
    problem: Problem,
    error: PhantomData<fn() -> E>,
}

impl<E: Refusal> From<E> for Refused<E> {
    fn from(error: E) -> Self {
        Self { problem: error.into(), error: PhantomData }
    }
}

impl<E> From<Refused<E>> for Error {
    fn from(refused: Refused<E>) -> Self {
        refused.problem.into()
    }
}

impl<E: Refusal> ApiResponse for Refused<E> {
    /// One entry for each code, under its name; the document gathers them by status.
    fn meta() -> MetaResponses {
        MetaResponses { responses: E::CODES.iter().copied().map(meta).collect() }
    }

    fn register(registry: &mut Registry) {
        ProblemBody::register(registry);
    }
}

/// The code of an entry; `None` for an answer that is no problem.
pub(super) fn code(response: &MetaResponse) -> Option<ProblemCode> {
    ProblemCode::ALL.iter().copied().find(|code| code.as_str() == response.description)
}

/// The entry of one code.
pub(super) fn meta(code: ProblemCode) -> MetaResponse {
    MetaResponse {
        description: code.as_str(),
        status: Some(code.status().as_u16()),
        status_range: None,
        content: vec![MetaMediaType { content_type: MEDIA_TYPE, schema: ProblemBody::schema_ref() }],
        headers: Vec::new(),
    }
}
