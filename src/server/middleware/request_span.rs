//! The tracing span of a request. Its fields follow OpenTelemetry's semantic conventions for HTTP servers.

use std::net::IpAddr;

use poem::{Request, http::Method};
use tracing::{Span, field};

use super::trace_context;
use crate::{ids::RequestId, server::route_table::Route};

/// The maximum logged length of a path or an unknown method, in bytes.
const LOGGED_BYTES: usize = 256;

/// The methods that `http.request.method` may name (RFC 9110, RFC 5789).
const KNOWN_METHODS: [Method; 9] = [
    Method::CONNECT,
    Method::DELETE,
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::PATCH,
    Method::POST,
    Method::PUT,
    Method::TRACE,
];

/// Opens the span of a request, as part of the caller's trace if the request names one. The query is not recorded,
/// because it may contain secrets. Authentication later records `user.id` and `session.id`.
pub(super) fn open(request: &Request, id: RequestId, route: Option<&Route>, operation: &str) -> Span {
    let is_known = KNOWN_METHODS.contains(request.method());
    let method = if is_known { request.method().as_str() } else { "_OTHER" };
    let original_method = (!is_known).then(|| truncate(request.method().as_str()));
    let template = route.map(|route| route.template.as_str());

    let span = tracing::info_span!(
        "request",
        otel.name = span_name(if is_known { method } else { "HTTP" }, template),
        otel.kind = "server",
        request.id = %id,
        operation,
        http.request.method = method,
        http.request.method_original = original_method,
        http.route = template,
        url.path = truncate(request.uri().path()),
        client.address = field::Empty,
        user.id = field::Empty,
        session.id = field::Empty,
        trace_id = field::Empty,
    );
    trace_context::join(&span, request.headers());
    span
}

/// Records the client IP in the span of the current request.
pub(super) fn record_client_ip(ip: IpAddr) {
    Span::current().record("client.address", field::display(ip));
}

fn span_name(method: &str, template: Option<&str>) -> String {
    match template {
        Some(template) => format!("{method} {template}"),
        None => method.to_owned(),
    }
}

/// Truncates a text that is too long for a log line.
fn truncate(text: &str) -> &str {
    text.split_at(text.floor_char_boundary(LOGGED_BYTES)).0
}
