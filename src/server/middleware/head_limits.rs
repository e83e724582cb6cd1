//! Limits on the head of a request, and the rejection of ambiguous requests.

use poem::{
    Request,
    http::{HeaderMap, Uri, header},
};

use crate::{
    api::schema::{Problem, ProblemCode},
    server::framing::Framing,
};

/// The maximum length of path and query, in bytes.
const MAX_URI: usize = 8 * 1024;
/// The maximum number of headers.
const MAX_HEADERS: usize = 100;
/// The maximum size of all headers together, including their names, in bytes.
const MAX_HEADER_BYTES: usize = 32 * 1024;

/// Checks the head of a request.
///
/// # Errors
/// Returns `bad_framing`, `uri_too_long` or `headers_too_large`.
pub(super) fn check(request: &Request) -> Result<(), Problem> {
    if let Some(Framing::Ambiguous(reason)) = request.extensions().get() {
        return Err(Problem::new(ProblemCode::BadFraming).with_cause(*reason));
    }
    if !has_one_host(request.uri(), request.headers()) {
        let cause = "the target and the Host header name different hosts";
        return Err(Problem::new(ProblemCode::BadFraming).with_cause(cause));
    }
    if request.uri().path_and_query().map_or(0, |text| text.as_str().len()) > MAX_URI {
        return Err(Problem::new(ProblemCode::UriTooLong));
    }
    if request.headers().len() > MAX_HEADERS || header_bytes(request.headers()) > MAX_HEADER_BYTES {
        return Err(Problem::new(ProblemCode::HeadersTooLarge));
    }
    Ok(())
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len().saturating_add(value.len())).sum()
}

/// Returns whether the request names at most one host. Both the Host header and a target that is an absolute URL can
/// name it.
fn has_one_host(uri: &Uri, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (uri.authority(), hosts.next(), hosts.next()) {
        (_, _, Some(_)) => false,
        (Some(target), Some(host), None) => host.as_bytes().eq_ignore_ascii_case(target.as_str().as_bytes()),
        _ => true,
    }
}
