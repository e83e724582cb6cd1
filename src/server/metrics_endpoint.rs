//! The endpoint for Prometheus, which has its own listener.

use std::{fmt::Write as _, sync::Arc};

use poem::{
    EndpointExt as _, Request, Response, Route,
    endpoint::{ToDynEndpoint, make_sync},
    get,
    http::{HeaderMap, header},
};

use super::connection::SharedEndpoint;
use crate::{header_value::split_outside_quotes, metrics::MEDIA_TYPE as OPEN_METRICS};

/// The media type of Prometheus's own text format, which is older than `OpenMetrics`.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Creates an endpoint that serves only `GET /metrics`, with the `OpenMetrics` text that `render` returns. Clients that
/// prefer `text/plain` get the text format of Prometheus.
pub fn metrics_endpoint(render: impl Fn() -> String + Send + Sync + 'static) -> SharedEndpoint {
    let respond = move |request: Request| {
        let (media_type, text) = if prefers_prometheus_text(request.headers()) {
            (PROMETHEUS_TEXT, to_prometheus_text(&render()))
        } else {
            (OPEN_METRICS, render())
        };
        Response::builder()
            .content_type(media_type)
            .header(header::VARY, "accept")
            .header(header::CACHE_CONTROL, "no-store")
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .body(text)
    };
    let routes = Route::new().at("/metrics", get(make_sync(respond)));
    Arc::new(ToDynEndpoint(routes.map_to_response().after(recover)))
}

/// Converts the router's errors (404 and 405) into responses.
async fn recover(outcome: poem::Result<Response>) -> poem::Result<Response> {
    Ok(outcome.unwrap_or_else(poem::Error::into_response))
}

/// Returns whether a client gives `text/plain` a higher weight than `OpenMetrics`. If the weights are equal, the more
/// specific media range wins (RFC 9110 section 12.5.1).
fn prefers_prometheus_text(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let ranges = lines.filter_map(|line| split_outside_quotes(line, ',')).flatten();
    let ranges = ranges.filter_map(parse_media_range).collect::<Vec<_>>();

    let preference = |any_subtype: &str, exact: &str| {
        // The most specific range applies.
        let applicable = ["*/*", any_subtype, exact].into_iter().enumerate().rev().find_map(|(specificity, range)| {
            let same = ranges.iter().filter(|(known, _)| known.eq_ignore_ascii_case(range));
            same.map(|(_, weight)| (*weight, specificity)).max()
        });
        applicable.filter(|(weight, _)| *weight > 0)
    };
    preference("text/*", "text/plain") > preference("application/*", "application/openmetrics-text")
}

/// Parses an entry of `Accept`: a media range and its weight in thousandths. Other parameters, such as the version of
/// the format, are ignored: there is one version of each format.
fn parse_media_range(text: &str) -> Option<(&str, u16)> {
    let mut parts = split_outside_quotes(text, ';')?.into_iter().map(str::trim);
    let range = parts.next().filter(|range| !range.is_empty())?;
    let mut parameters = parts.filter_map(|parameter| parameter.split_once('='));
    let weight = match parameters.find(|(name, _)| name.eq_ignore_ascii_case("q")) {
        Some((_, value)) => parse_weight(value)?,
        None => 1000,
    };
    Some((range, weight))
}

/// Parses a weight from 0 to 1 with at most three decimal places, in thousandths.
fn parse_weight(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_valid = matches!(whole, "0" | "1") && decimals.len() <= 3;
    let weight: u16 = format!("{whole}{decimals:0<3}").parse().ok().filter(|_| is_valid)?;
    (weight <= 1000).then_some(weight)
}

/// Converts `OpenMetrics` text to the text format of Prometheus. There, a counter has the name of its series, the type
/// `info` does not exist, and neither do the comments for the unit and the end.
fn to_prometheus_text(open_metrics: &str) -> String {
    let mut text = String::new();
    let mut help = "";
    for line in open_metrics.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = described;
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|typed| typed.split_once(' ')) {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                _ => ("", kind),
            };
            // Writing to a string does not fail.
            if let Some(description) = help.strip_prefix(name) {
                let _ = writeln!(text, "# HELP {name}{suffix}{description}");
            }
            let _ = writeln!(text, "# TYPE {name}{suffix} {kind}");
        } else if !line.starts_with('#') {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}
