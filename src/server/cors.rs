//! Cross-origin requests (CORS in the Fetch standard): web pages of the configured origins may call the service from a
//! browser. Origins are compared byte by byte. The service uses no cookies, so credentials are never allowed.

use std::time::Duration;

use poem::{
    Request, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};

/// The request headers that a page may send.
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type");
/// The response headers that a page may read, in addition to those that CORS always allows.
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static("x-request-id, retry-after, www-authenticate, location");
/// How long a browser may cache the response to a preflight request.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_mins(10);

/// The configured origins.
#[derive(Debug)]
pub(super) struct Cors {
    origins: Vec<String>,
}

impl Cors {
    pub(super) const fn new(origins: Vec<String>) -> Self {
        Self { origins }
    }

    /// Returns the origin of a request if it is a configured origin.
    pub(super) fn allowed_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut values = headers.get_all(header::ORIGIN).iter();
        let origin = values.next().filter(|origin| self.origins.iter().any(|known| known.as_bytes() == *origin))?;
        let is_only_one = values.next().is_none();
        is_only_one.then(|| origin.clone())
    }

    /// Adds the headers that let a page of `origin` read the response. If any origin is configured, adds `Vary`, so
    /// that caches store the responses to different origins separately.
    pub(super) fn add_headers(&self, headers: &mut HeaderMap, origin: Option<HeaderValue>) {
        if self.origins.is_empty() {
            return;
        }
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
        }
    }
}

/// Returns whether a request is a CORS preflight request.
pub(super) fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Returns the response to a preflight request for a path with these methods.
pub(super) fn preflight_response(methods: HeaderValue) -> Response {
    Response::builder()
        .status(StatusCode::NO_CONTENT)
        .header(header::ACCESS_CONTROL_ALLOW_METHODS, methods)
        .header(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS)
        .header(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE.as_secs())
        .finish()
}
