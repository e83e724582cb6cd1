//! Pages of other origins that may call the service from a browser (the Fetch standard's CORS protocol): those that are
//! listed, each compared byte by byte. Cookies are not used here, so credentials are never allowed.

use std::time::Duration;

use poem::{
    Request, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};

/// What such pages may send.
const HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type");
/// What they may read of an answer, beside what any page may.
const EXPOSED: HeaderValue = HeaderValue::from_static("x-request-id, retry-after, www-authenticate, location");
/// How long a browser remembers the answer to its question.
const MAX_AGE: Duration = Duration::from_mins(10);

/// The origins that are listed.
#[derive(Debug)]
pub(super) struct Cors {
    origins: Vec<String>,
}

impl Cors {
    pub(super) fn new(origins: Vec<String>) -> Self {
        Self { origins }
    }

    /// The origin of a request, where it is listed.
    pub(super) fn origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut named = headers.get_all(header::ORIGIN).iter();
        let origin = named.next().filter(|origin| self.origins.iter().any(|listed| listed.as_bytes() == *origin))?;
        named.next().is_none().then(|| origin.clone())
    }

    /// Lets the page at `origin` read the answer. Where any origin is listed, caches keep the answers to them apart.
    pub(super) fn complete(&self, headers: &mut HeaderMap, origin: Option<HeaderValue>) {
        if self.origins.is_empty() {
            return;
        }
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
}

/// Whether a browser asks what a page may send.
pub(super) fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to that for a path with these methods.
pub(super) fn preflight(methods: HeaderValue) -> Response {
    Response::builder()
        .status(StatusCode::NO_CONTENT)
        .header(header::ACCESS_CONTROL_ALLOW_METHODS, methods)
        .header(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS)
        .header(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE.as_secs())
        .finish()
}
