//! Distributed tracing: joins the caller's trace (W3C Trace Context) and records the outcome for the collector.

use opentelemetry::{
    Context,
    propagation::TextMapPropagator as _,
    trace::{Status, TraceContextExt as _, TraceId},
};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use poem::http::{HeaderMap, StatusCode};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Makes `span` part of the trace that the request headers name, and records the trace id. Malformed headers are
/// ignored.
pub(super) fn join(span: &Span, headers: &HeaderMap) {
    let parent = if is_well_formed(headers) {
        TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers))
    } else {
        Context::new()
    };

    let parent_trace = trace_id(&parent);
    if parent_trace.is_some() {
        // This fails only if no spans are exported; the trace id is recorded anyway.
        let _ = span.set_parent(parent);
    }
    if let Some(trace) = trace_id(&span.context()).or(parent_trace) {
        span.record("trace_id", tracing::field::display(trace));
    }
}

/// Records the outcome in the exported span of the current request. The access log records it separately.
pub(super) fn record_response(status: StatusCode, error_type: Option<&'static str>) {
    let span = Span::current();
    span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
    if let Some(error_type) = error_type {
        span.set_attribute("error.type", error_type);
    }
    // By OpenTelemetry's conventions, status 4xx is not a server error.
    if status.is_server_error() {
        span.set_status(Status::error(""));
    }
}

/// Returns whether there is exactly one `traceparent` header, whose parts have the right lengths. The library does not
/// check this.
fn is_well_formed(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all("traceparent").iter();
    let (Some(value), None) = (values.next().and_then(|value| value.to_str().ok()), values.next()) else {
        return false;
    };
    let lengths = value.split('-').map(str::len).collect::<Vec<_>>();
    // A later version may have more parts.
    lengths.starts_with(&[2, 32, 16, 2]) && (lengths.len() == 4 || !value.starts_with("00-"))
}

fn trace_id(context: &Context) -> Option<TraceId> {
    let span = context.span();
    let context = span.span_context();
    context.is_valid().then(|| context.trace_id())
}
