//! Metrics for Prometheus.
//!
//! Each label has a small set of values, which are declared here or in the OpenAPI document. Client input never becomes
//! a label value, because the process keeps a series for each value as long as it runs. The names of HTTP metrics
//! follow OpenTelemetry's semantic conventions.

use std::{fmt, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeMetric, text::encode},
    metrics::{TypedMetric, counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Metric, Registry, Unit},
};

/// The media type of [`Metrics::text`] (`OpenMetrics` 1.0).
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The upper bounds of the histograms' buckets, in seconds.
const BUCKETS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// A label and its value.
type Label = (&'static str, &'static str);
/// A counter for each combination of label values.
type Counters<const N: usize> = Family<[Label; N], Counter>;

/// The labels of a counted request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    /// The `operationId` of the OpenAPI document; `docs` for the documentation, `none` for unknown paths and methods.
    operation: String,
    /// The status of the response.
    status: u16,
}

/// The label of a timed request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabel {
    /// As in [`RequestLabels`].
    operation: String,
}

/// Declares a label with all its values.
macro_rules! label {
    ($(#[$doc:meta])* $name:ident = $key:literal { $($(#[$about:meta])* $variant:ident = $value:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$about])* $variant,)+ }

        impl $name {
            const LABELS: &'static [Label] = &[$(Self::$variant.label(),)+];

            const fn label(self) -> Label {
                ($key, match self { $(Self::$variant => $value,)+ })
            }
        }
    };
}

label! {
    /// The outcome of a login attempt.
    LoginOutcome = "outcome" {
        /// A session was opened.
        Success = "success",
        /// The username or the password was wrong, or the user is disabled.
        InvalidCredentials = "invalid_credentials",
        /// A rate limit or a lockout applied.
        RateLimited = "rate_limited",
        /// The queue of password hashes was full or too slow.
        Busy = "busy",
        /// The database was unavailable, or the service failed.
        Failure = "failure",
    }
}

label! {
    /// A rate limit.
    RateLimit = "limit" {
        /// Password checks from one client IP or for one user.
        Login = "login",
        /// Registrations from one client IP.
        Registration = "registration",
        /// Rejected refresh tokens from one client IP.
        RejectedRefresh = "rejected_refresh",
        /// Refreshes of one session.
        Refresh = "refresh",
    }
}

label! {
    /// Why a session ended.
    SessionEnd = "cause" {
        /// The user logged out, or revoked the session or its refresh token.
        User = "user",
        /// A refresh token was reused or out of sequence.
        RefreshTokenMisuse = "refresh_token_misuse",
        /// The user changed the password.
        PasswordChange = "password_change",
        /// A login exceeded the maximum number of sessions, and this session was the oldest.
        SessionLimit = "session_limit",
        /// The session had expired, and the cleanup removed it.
        Expired = "expired",
    }
}

label! {
    /// Why an authentic refresh token was rejected.
    RefreshTokenMisuse = "kind" {
        /// The token was exchanged before, and the grace period does not apply.
        Reused = "reused",
        /// The counter of the token is ahead of the counter of its session, for example after a restored backup.
        OutOfSequence = "out_of_sequence",
    }
}

label! {
    /// The kind of a database error.
    DatabaseErrorKind = "kind" {
        /// The database did not respond in time, or was unreachable, full or read-only.
        Unavailable = "unavailable",
        /// A transaction conflicted with another transaction and was retried.
        Conflict = "conflict",
        /// Any other error.
        Other = "other",
    }
}

label! {
    /// A background job. The label is not `job`, because Prometheus uses that name for the scrape job.
    Job = "task" {
        /// The removal of expired rows.
        Cleanup = "cleanup",
        /// The synchronization with the reference clock.
        Clock = "clock",
    }
}

label! {
    /// The outcome of a job's run.
    JobOutcome = "outcome" {
        /// The run succeeded, even if there was nothing to do.
        Success = "success",
        /// The run failed; the next one retries it.
        Failure = "failure",
    }
}

label! {
    /// The state of a database connection.
    ConnectionState = "state" {
        /// The connection is unused.
        Idle = "idle",
        /// The connection is in use.
        Busy = "busy",
    }
}

/// Values that are read at each scrape.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gauges {
    /// The number of passwords that wait to be hashed.
    pub hash_queue: usize,
    /// The number of idle database connections.
    pub idle_connections: usize,
    /// The number of database connections in use.
    pub busy_connections: usize,
}

/// The metrics of one process.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_durations: Family<OperationLabel, Histogram, fn() -> Histogram>,
    active_requests: Gauge,
    logins: Counters<1>,
    rate_limited_requests: Counters<1>,
    refresh_token_misuse: Counters<1>,
    sessions_opened: Counter,
    sessions_ended: Counters<1>,
    hash_queue_length: Gauge,
    hash_queue_wait: Histogram,
    hash_duration: Histogram,
    database_connections: Family<[Label; 1], Gauge>,
    database_errors: Counters<1>,
    clock_steps: Counter,
    job_runs: Counters<2>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Creates all metrics, with the value zero.
    pub fn new() -> Self {
        let mut metrics = Registry::with_prefix("vestibule");
        let registry = &mut metrics;
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version of this instance", build);

        Self {
            requests: register(
                registry,
                "http_server_requests",
                "Completed requests, by operation and response status",
                Family::default(),
            ),
            request_durations: register_seconds(
                registry,
                "http_server_request_duration",
                "Time from the start of a request to the start of its response, by operation",
                Family::new_with_constructor(new_histogram as fn() -> Histogram),
            ),
            active_requests: register(
                registry,
                "http_server_active_requests",
                "Requests in progress",
                Gauge::default(),
            ),
            logins: register_labels(registry, "logins", "Login attempts, by outcome", LoginOutcome::LABELS),
            rate_limited_requests: register_labels(
                registry,
                "rate_limited_requests",
                "Requests rejected by a rate limit or a lockout, by limit",
                RateLimit::LABELS,
            ),
            refresh_token_misuse: register_labels(
                registry,
                "refresh_token_misuse",
                "Reused or out-of-sequence refresh tokens; each one revoked its session",
                RefreshTokenMisuse::LABELS,
            ),
            sessions_opened: register(registry, "sessions_opened", "Sessions opened", Counter::default()),
            sessions_ended: register_labels(
                registry,
                "sessions_ended",
                "Sessions revoked or removed by this instance, by cause",
                SessionEnd::LABELS,
            ),
            hash_queue_length: register(
                registry,
                "hash_queue_length",
                "Passwords waiting to be hashed",
                Gauge::default(),
            ),
            hash_queue_wait: register_seconds(
                registry,
                "hash_queue_wait",
                "Time that passwords waited for a hash thread",
                new_histogram(),
            ),
            hash_duration: register_seconds(registry, "hash_duration", "Time to hash a password", new_histogram()),
            database_connections: register_labels(
                registry,
                "database_connections",
                "Open database connections, by state",
                ConnectionState::LABELS,
            ),
            database_errors: register_labels(
                registry,
                "database_errors",
                "Database errors, by kind",
                DatabaseErrorKind::LABELS,
            ),
            clock_steps: register(
                registry,
                "clock_steps",
                "Steps of the reference clock detected by this instance",
                Counter::default(),
            ),
            job_runs: register_job_runs(registry),
            registry: metrics,
        }
    }

    /// Returns all metrics in the `OpenMetrics` text format, with these values of the gauges.
    pub fn text(&self, gauges: Gauges) -> String {
        set(&self.hash_queue_length, gauges.hash_queue);
        let connections =
            [(ConnectionState::Idle, gauges.idle_connections), (ConnectionState::Busy, gauges.busy_connections)];
        for (state, number) in connections {
            set(&self.database_connections.get_or_create(&[state.label()]), number);
        }

        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// Counts a request as active until the returned guard is dropped.
    pub fn track_active_request(&self) -> ActiveRequest<'_> {
        self.active_requests.inc();
        ActiveRequest(&self.active_requests)
    }

    /// Records a response, and the time since its request arrived.
    pub fn record_response(&self, operation: &str, status: u16, duration: Duration) {
        let operation = operation.to_owned();
        let label = OperationLabel { operation: operation.clone() };
        self.request_durations.get_or_create(&label).observe(duration.as_secs_f64());
        self.requests.get_or_create(&RequestLabels { operation, status }).inc();
    }

    /// Records a login attempt.
    pub fn record_login(&self, outcome: LoginOutcome) {
        self.logins.get_or_create(&[outcome.label()]).inc();
    }

    /// Records a request that a rate limit rejected.
    pub fn record_rate_limited(&self, limit: RateLimit) {
        self.rate_limited_requests.get_or_create(&[limit.label()]).inc();
    }

    /// Records a reused or out-of-sequence refresh token, and the revocation of its session.
    pub fn record_refresh_token_misuse(&self, kind: RefreshTokenMisuse) {
        self.refresh_token_misuse.get_or_create(&[kind.label()]).inc();
        self.record_sessions_ended(SessionEnd::RefreshTokenMisuse, 1);
    }

    /// Records an opened session.
    pub fn record_session_opened(&self) {
        self.sessions_opened.inc();
    }

    /// Records revoked or removed sessions.
    pub fn record_sessions_ended(&self, cause: SessionEnd, sessions: u64) {
        self.sessions_ended.get_or_create(&[cause.label()]).inc_by(sessions);
    }

    /// Records how long a password waited to be hashed.
    pub fn record_hash_wait(&self, wait: Duration) {
        self.hash_queue_wait.observe(wait.as_secs_f64());
    }

    /// Records how long hashing a password took.
    pub fn record_hash(&self, duration: Duration) {
        self.hash_duration.observe(duration.as_secs_f64());
    }

    /// Records a database error.
    pub fn record_database_error(&self, kind: DatabaseErrorKind) {
        self.database_errors.get_or_create(&[kind.label()]).inc();
    }

    /// Records a step of the reference clock.
    pub fn record_clock_step(&self) {
        self.clock_steps.inc();
    }

    /// Records a run of a background job.
    pub fn record_job_run(&self, job: Job, outcome: JobOutcome) {
        self.job_runs.get_or_create(&[job.label(), outcome.label()]).inc();
    }
}

/// A request in progress.
#[derive(Debug)]
pub struct ActiveRequest<'a>(&'a Gauge);

impl Drop for ActiveRequest<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Registers a metric and returns it.
fn register<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

/// Registers a metric in seconds and returns it.
fn register_seconds<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
    metric
}

/// Registers a metric with one label, and creates the series of each value. Otherwise, Prometheus would not see the
/// first event of a series as an increase.
fn register_labels<M>(registry: &mut Registry, name: &str, help: &str, labels: &[Label]) -> Family<[Label; 1], M>
where
    M: EncodeMetric + TypedMetric + Default + fmt::Debug + Send + Sync + 'static,
{
    let family = Family::default();
    for label in labels {
        drop(family.get_or_create(&[*label]));
    }
    register(registry, name, help, family)
}

fn register_job_runs(registry: &mut Registry) -> Counters<2> {
    let family = Counters::default();
    for job in Job::LABELS {
        for outcome in JobOutcome::LABELS {
            drop(family.get_or_create(&[*job, *outcome]));
        }
    }
    let help = "Runs of background jobs, by task and outcome, including runs with nothing to do";
    register(registry, "job_runs", help, family)
}

fn new_histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

fn set(gauge: &Gauge, value: usize) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}
