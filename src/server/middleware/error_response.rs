//! Error responses: every error as a problem (RFC 9457), with the headers that HTTP requires.
//!
//! `Problem::from_error` converts the errors of handlers and of poem's router into problems: a path without the
//! requested method becomes `method_not_allowed` with status 405. This module converts the problems into responses, and
//! adds to a 405 response the `Allow` header from the route table. `pipeline` calls both functions.

use poem::{
    Response,
    http::{HeaderValue, StatusCode, header},
};

use crate::{
    api::schema::{Problem, ProblemCode},
    ids::RequestId,
};

/// Creates the response of a problem.
pub(super) fn from_problem(problem: &Problem, id: RequestId) -> Response {
    let mut response = problem.to_response(&id.to_string());
    if problem.code() == ProblemCode::BadFraming {
        // Bytes after an ambiguous request cannot be trusted. HTTP/2 has no such header, so hyper omits it there.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Adds `Allow` to a response with status 405, as RFC 9110 section 15.5.6 requires.
pub(super) fn add_allow(response: &mut Response, allowed_methods: Option<HeaderValue>) {
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        let methods = allowed_methods.unwrap_or(HeaderValue::from_static(""));
        response.headers_mut().insert(header::ALLOW, methods);
    }
}
