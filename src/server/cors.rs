//! Cross-origin requests (CORS in the Fetch standard): pages of the configured origins may call the service from a
//! browser, and pages of any origin may read its public metadata. The service uses no cookies, so credentials are never
//! allowed.

use std::time::Duration;

use poem::{
    Request, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};

use super::route_table::Route;

/// The request headers that a page may send: those of the API, and those that tracing libraries add to every request.
/// A browser does not send the request if one of its headers is not allowed.
const ALLOWED_HEADERS: [&str; 6] =
    ["authorization", "content-type", "traceparent", "tracestate", "baggage", "sentry-trace"];
/// The response headers that a page may read, in addition to those that CORS always allows.
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static("x-request-id, retry-after, www-authenticate, location");
/// The value that allows every origin.
const ANY_ORIGIN: HeaderValue = HeaderValue::from_static("*");
/// How long a browser may cache the response to a preflight request.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_mins(10);

/// The configured origins and request headers.
#[derive(Debug)]
pub(super) struct Cors {
    origins: Vec<OriginPattern>,
    allowed_headers: String,
}

/// An origin, or all origins that differ only in the first label of their host.
#[derive(Debug)]
enum OriginPattern {
    Exact(String),
    AnyLabel { before: String, after: String },
}

/// Which pages may read a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// The pages of every origin.
    AnyOrigin,
    /// The pages of this origin.
    Origin(HeaderValue),
    /// Only the pages of the service itself.
    SameOrigin,
}

impl Cors {
    /// Creates the rules for these origins, whose first label may be `*`, and for additional request headers.
    pub(super) fn new(origins: &[String], headers: &[String]) -> Self {
        let allowed_headers = ALLOWED_HEADERS.into_iter().chain(headers.iter().map(String::as_str));
        Self {
            origins: origins.iter().map(|origin| OriginPattern::new(origin)).collect(),
            allowed_headers: allowed_headers.collect::<Vec<_>>().join(", "),
        }
    }

    /// Returns which pages may read the response to a request.
    pub(super) fn access(&self, headers: &HeaderMap, route: Option<&Route>) -> Access {
        if route.is_some_and(|route| route.any_origin) {
            return Access::AnyOrigin;
        }
        let mut values = headers.get_all(header::ORIGIN).iter();
        match (values.next(), values.next()) {
            (Some(origin), None) if self.allows(origin) => Access::Origin(origin.clone()),
            _ => Access::SameOrigin,
        }
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        origin.to_str().is_ok_and(|origin| self.origins.iter().any(|pattern| pattern.matches(origin)))
    }

    /// Returns the response to a preflight request for a path with these methods.
    pub(super) fn preflight_response(&self, methods: HeaderValue) -> Response {
        Response::builder()
            .status(StatusCode::NO_CONTENT)
            .header(header::ACCESS_CONTROL_ALLOW_METHODS, methods)
            .header(header::ACCESS_CONTROL_ALLOW_HEADERS, &self.allowed_headers)
            .header(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE.as_secs())
            .finish()
    }

    /// Adds the headers that let pages read the response. If the response depends on the origin, adds `Vary`, so that
    /// caches store the responses to different origins separately.
    pub(super) fn add_headers(&self, headers: &mut HeaderMap, access: Access) {
        if access != Access::AnyOrigin && !self.origins.is_empty() {
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        let allowed = match access {
            Access::AnyOrigin => ANY_ORIGIN,
            Access::Origin(origin) => origin,
            Access::SameOrigin => return,
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
    }
}

impl OriginPattern {
    fn new(text: &str) -> Self {
        match text.split_once('*') {
            None => Self::Exact(text.to_owned()),
            Some((before, after)) => Self::AnyLabel { before: before.to_owned(), after: after.to_owned() },
        }
    }

    /// Returns whether an origin matches, byte by byte. `*` stands for one label of lower-case letters, digits and
    /// hyphens.
    fn matches(&self, origin: &str) -> bool {
        match self {
            Self::Exact(known) => known == origin,
            Self::AnyLabel { before, after } => {
                let label = origin.strip_prefix(before.as_str()).and_then(|rest| rest.strip_suffix(after.as_str()));
                let is_label_byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
                label.is_some_and(|label| !label.is_empty() && label.bytes().all(is_label_byte))
            }
        }
    }
}

/// Returns whether a request is a CORS preflight request.
pub(super) fn is_preflight(request: &Request) -> bool {
    let headers = request.headers();
    request.method() == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}
