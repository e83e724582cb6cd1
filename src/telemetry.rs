//! The log, on standard error, and traces, sent to a collector where one is configured.

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing::{Level, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{Targets, filter_fn},
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

/// What traces call the service.
const SERVICE: &str = "vestibule";
/// How long the last spans may take to be sent when the process ends.
const FLUSH: Duration = Duration::from_secs(5);

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// As text if standard error is a terminal, as JSON otherwise.
    Auto,
    /// As text for people.
    Text,
    /// As one JSON object a line.
    Json,
}

/// The settings of the log and the traces.
#[derive(Clone, Debug)]
pub struct TelemetrySettings {
    /// The directives of the log filter.
    pub log_filter: String,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// The URL of an OTLP collector that speaks HTTP; without one, no traces are sent.
    pub traces_endpoint: Option<String>,
}

/// What must be ended with the process.
#[derive(Debug)]
#[must_use]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Sends what has not been sent. Not to be called where blocking is not allowed.
    pub fn end(self) {
        if let Some(Err(error)) = self.traces.map(|traces| traces.shutdown_with_timeout(FLUSH)) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

/// Starts logging as configured, but for what tells secrets, and tracing if that is; a second call changes nothing.
///
/// # Errors
/// When spans cannot be sent to the configured URL at all.
pub fn start(settings: &TelemetrySettings) -> Result<Telemetry, ExporterBuildError> {
    let traces = settings.traces_endpoint.as_deref().map(provider).transpose()?;
    let spans = traces.as_ref().map(|provider| {
        let layer = tracing_opentelemetry::layer().with_location(false).with_threads(false).with_target(false);
        let ours = Targets::new().with_target(env!("CARGO_CRATE_NAME"), Level::DEBUG);
        layer.with_tracer(provider.tracer(SERVICE)).with_filter(ours)
    });
    let discreet = filter_fn(|metadata| !tells_secrets(metadata.target()));
    let started = tracing_subscriber::registry().with(spans).with(lines(settings)).with(discreet).try_init();
    if let Err(error) = started {
        tracing::debug!(%error, "logging had started before");
    }
    Ok(Telemetry { traces })
}

/// Whether whoever traces under this name shows secrets: at the level `trace`, sea-orm shows the database's URL with
/// the password in it.
fn tells_secrets(target: &str) -> bool {
    target == "sea_orm" || target.starts_with("sea_orm::")
}

fn lines<S: Subscriber + for<'a> LookupSpan<'a>>(settings: &TelemetrySettings) -> Box<dyn Layer<S> + Send + Sync> {
    let filter = EnvFilter::try_new(&settings.log_filter).unwrap_or_else(|_| EnvFilter::new("info"));
    // Told about a line that cannot be written, it would panic over the same full disk, in the middle of a request.
    let lines = tracing_subscriber::fmt::layer().log_internal_errors(false).with_writer(io::stderr);
    let terminal = io::stderr().is_terminal();
    let people = match settings.log_format {
        LogFormat::Text => true,
        LogFormat::Json => false,
        LogFormat::Auto => terminal,
    };
    if people {
        lines.with_ansi(terminal).with_filter(filter).boxed()
    } else {
        lines.json().flatten_event(true).with_span_list(false).with_filter(filter).boxed()
    }
}

/// What sends spans by OTLP over HTTP, from a thread of its own.
fn provider(endpoint: &str) -> Result<SdkTracerProvider, ExporterBuildError> {
    let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    let exporter =
        SpanExporter::builder().with_http().with_endpoint(url).with_protocol(Protocol::HttpBinary).build()?;
    let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_service_name(SERVICE).with_attribute(version).build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}
