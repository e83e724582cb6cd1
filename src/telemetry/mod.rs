//! The log on standard error, and traces, which are exported if a collector is configured.

mod log_filter;

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing::{Level, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer,
    filter::{Directive, FilterExt as _, Targets, filter_fn},
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

pub use self::log_filter::{InvalidLogFilter, LogFilter};
/// The error of a collector whose settings are unusable.
pub use opentelemetry_otlp::ExporterBuildError as ExporterError;

/// The name of the service in traces.
const SERVICE_NAME: &str = "vestibule";
/// The log directive for sea-orm's migrations, which log two lines each. `store::migrate` logs one line for all.
/// The directives of the settings can override it.
const MIGRATION_DIRECTIVE: &str = "sea_orm_migration=warn";
/// How long the export of the last spans may take when the process exits.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// The settings of log and traces.
#[derive(Clone, Debug)]
pub struct TelemetrySettings {
    /// The filter of the log: a level, or directives such as `info,vestibule=debug`.
    pub log_filter: LogFilter,
    /// The format of log lines.
    pub log_format: LogFormat,
    /// The URL of an OTLP collector over HTTP, without a path. If `None`, no spans are exported.
    pub traces_endpoint: Option<String>,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// As text if standard error is a terminal, as JSON otherwise.
    Auto,
    /// As text.
    Text,
    /// As one JSON object per line.
    Json,
}

/// The running telemetry, which must be stopped before the process exits.
#[derive(Debug)]
#[must_use]
pub struct Telemetry {
    tracer_provider: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Exports the remaining spans. This blocks, so an async task must not call it.
    pub fn stop(self) {
        if let Some(Err(error)) = self.tracer_provider.map(|provider| provider.shutdown_with_timeout(FLUSH_TIMEOUT)) {
            tracing::warn!(%error, "cannot export the last spans; check the collector in traces.endpoint");
        }
    }
}

/// Starts the log, and the export of spans if a collector is configured. A second call changes nothing.
///
/// # Errors
/// Returns an [`ExporterError`] if the URL of the collector is unusable.
pub fn start(settings: &TelemetrySettings) -> Result<Telemetry, ExporterError> {
    let tracer_provider = settings.traces_endpoint.as_deref().map(tracer_provider).transpose()?;
    let export_layer = tracer_provider.as_ref().map(|provider| {
        let layer = tracing_opentelemetry::layer().with_location(false).with_threads(false).with_target(false);
        let own_spans = Targets::new().with_target(env!("CARGO_CRATE_NAME"), Level::DEBUG);
        layer.with_tracer(provider.tracer(SERVICE_NAME)).with_filter(own_spans)
    });
    let without_secrets = filter_fn(|metadata| !logs_secrets(metadata.target()));

    let subscriber = tracing_subscriber::registry().with(export_layer).with(log_layer(settings)).with(without_secrets);
    if let Err(error) = subscriber.try_init() {
        tracing::debug!(%error, "the log is already started");
    }
    Ok(Telemetry { tracer_provider })
}

/// Returns whether a target logs secrets. At the level `trace`, sea-orm logs the database URL with its password.
fn logs_secrets(target: &str) -> bool {
    target == "sea_orm" || target.starts_with("sea_orm::")
}

fn log_layer<S: Subscriber + for<'a> LookupSpan<'a>>(settings: &TelemetrySettings) -> Box<dyn Layer<S> + Send + Sync> {
    // Errors pass every filter, so that a filter for one module hides no failure of another.
    let quiet = MIGRATION_DIRECTIVE.parse::<Directive>().ok();
    let filter = settings.log_filter.after(quiet).or(LevelFilter::ERROR);
    // If internal errors were logged, a full disk would make the error message fail too, which panics inside a request.
    let layer = tracing_subscriber::fmt::layer().log_internal_errors(false).with_writer(io::stderr);

    let is_terminal = io::stderr().is_terminal();
    let as_text = match settings.log_format {
        LogFormat::Text => true,
        LogFormat::Json => false,
        LogFormat::Auto => is_terminal,
    };
    if as_text {
        layer.with_ansi(is_terminal).with_filter(filter).boxed()
    } else {
        layer.json().flatten_event(true).with_span_list(false).with_filter(filter).boxed()
    }
}

/// Checks that spans can be exported to a collector, without connecting to it.
///
/// # Errors
/// Returns the error of [`start`].
pub fn check_endpoint(endpoint: &str) -> Result<(), ExporterError> {
    span_exporter(endpoint).map(drop)
}

fn span_exporter(endpoint: &str) -> Result<SpanExporter, ExporterError> {
    let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    SpanExporter::builder().with_http().with_endpoint(url).with_protocol(Protocol::HttpBinary).build()
}

/// Creates the provider, which sends spans by OTLP over HTTP on its own thread.
fn tracer_provider(endpoint: &str) -> Result<SdkTracerProvider, ExporterError> {
    let exporter = span_exporter(endpoint)?;
    let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_service_name(SERVICE_NAME).with_attribute(version).build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}
