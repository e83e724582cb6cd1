//! The trace that a request belongs to (W3C Trace Context).

use opentelemetry::{
    Context,
    propagation::TextMapPropagator as _,
    trace::{TraceContextExt as _, TraceId},
};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use poem::http::HeaderMap;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Makes `span` a part of the trace that the request's headers name, if they do, and notes the trace's identifier.
/// Headers that are malformed name none.
pub(super) fn join(span: &Span, headers: &HeaderMap) {
    let parent = if is_well_formed(headers) {
        TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers))
    } else {
        Context::new()
    };
    let named = id(&parent);
    if named.is_some() {
        // Where no spans are sent, there is nothing to join.
        let _ = span.set_parent(parent);
    }
    if let Some(trace) = id(&span.context()).or(named) {
        span.record("trace_id", tracing::field::display(trace));
    }
}

/// Whether there is one `traceparent` whose parts have their lengths, which the library does not ask for.
fn is_well_formed(headers: &HeaderMap) -> bool {
    let mut parents = headers.get_all("traceparent").iter();
    let (Some(parent), None) = (parents.next().and_then(|parent| parent.to_str().ok()), parents.next()) else {
        return false;
    };
    let lengths = parent.split('-').map(str::len).collect::<Vec<_>>();
    // A later version may have more parts.
    lengths.starts_with(&[2, 32, 16, 2]) && (lengths.len() == 4 || !parent.starts_with("00-"))
}

fn id(context: &Context) -> Option<TraceId> {
    let span = context.span();
    let context = span.span_context();
    context.is_valid().then(|| context.trace_id())
}
