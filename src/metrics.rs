//! What is counted and measured while the service runs, in the terms of Prometheus.
//!
//! Labels have few values, all of them named here or in the document: nothing that a client sends becomes one, because
//! each value is a series that is kept for as long as the process runs.

use std::{fmt, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

/// The media type of what [`Metrics::text`] writes (`OpenMetrics` 1.0).
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The bounds of the histograms, in seconds.
const BOUNDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// A label and its value.
type Label = (&'static str, &'static str);
/// A counter for each value of some labels.
type Counters<const N: usize> = Family<[Label; N], Counter>;

/// An operation of the document by its `operationId`, and the status of its answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Request {
    /// The `operationId`; `docs` for the documentation, `none` for what is neither.
    pub operation: String,
    /// The status.
    pub status: u16,
}

/// An operation of the document by its `operationId`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Operation {
    /// As in [`Request`].
    pub operation: String,
}

/// A label whose values are named here.
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
    /// How a try to sign in ended.
    LoginOutcome = "outcome" {
        /// A session was opened.
        Success = "success",
        /// The name or the password was refused.
        InvalidCredentials = "invalid_credentials",
        /// There were too many tries.
        Throttled = "throttled",
        /// The queue of passwords was full or too slow.
        Busy = "busy",
        /// The database was unavailable, or something is broken.
        Failed = "failed",
    }
}

label! {
    /// What was too much.
    Limit = "limit" {
        /// Tries to check a password, from one address or for one account.
        Login = "login",
        /// Registrations from one address.
        Registration = "registration",
        /// Refused refresh tokens from one address.
        RefusedRefresh = "refused_refresh",
        /// Refreshes of one session.
        Refresh = "refresh",
    }
}

label! {
    /// Why sessions ended.
    End = "cause" {
        /// The owner signed out, ended them, or gave the refresh token back.
        Owner = "owner",
        /// A refresh token was presented that should not have been about.
        Misuse = "misuse",
        /// The owner set a new password.
        Password = "password",
        /// The account had too many.
        Displaced = "displaced",
        /// They were over, and were cleared away.
        Expired = "expired",
    }
}

label! {
    /// What was wrong with a refresh token that is genuine.
    Misuse = "kind" {
        /// Its successor had been used, or it came too late to be a lost answer.
        Reused = "reused",
        /// It was newer than its session's row.
        Ahead = "ahead",
    }
}

label! {
    /// What kind of error the database caused.
    DatabaseError = "kind" {
        /// It did not answer in time, could not be reached, was full or took no writes.
        Unavailable = "unavailable",
        /// Another writer stood in the way of a transaction, which was tried again.
        Conflict = "conflict",
        /// Anything else.
        Other = "other",
    }
}

label! {
    /// Work beside requests.
    Job = "task" {
        /// Clearing away what is over.
        CleanUp = "clean_up",
        /// Looking at the clock that counts.
        Clock = "clock",
    }
}

label! {
    /// How a run of it ended.
    JobOutcome = "outcome" {
        /// It was done.
        Success = "success",
        /// It will be tried again.
        Failure = "failure",
    }
}

label! {
    /// What a connection to the database does.
    ConnectionState = "state" {
        /// It waits for work.
        Idle = "idle",
        /// It works.
        Busy = "busy",
    }
}

/// What changes by itself, read when somebody asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gauges {
    /// Passwords that wait to be hashed.
    pub hash_queue: usize,
    /// Connections to the database that wait for work.
    pub idle_connections: usize,
    /// Connections to the database that work.
    pub busy_connections: usize,
}

/// Counters, gauges and histograms of one process.
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    durations: Family<Operation, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    logins: Counters<1>,
    throttled: Counters<1>,
    misused: Counters<1>,
    opened: Counter,
    ended: Counters<1>,
    hash_queue: Gauge,
    hash_wait: Histogram,
    hash: Histogram,
    connections: Family<[Label; 1], Gauge>,
    database_errors: Counters<1>,
    jobs: Counters<2>,
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
    /// Everything at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("vestibule"),
            requests: Family::default(),
            durations: Family::new_with_constructor(histogram),
            in_flight: Gauge::default(),
            logins: Family::default(),
            throttled: Family::default(),
            misused: Family::default(),
            opened: Counter::default(),
            ended: Family::default(),
            hash_queue: Gauge::default(),
            hash_wait: histogram(),
            hash: histogram(),
            connections: Family::default(),
            database_errors: Family::default(),
            jobs: Family::default(),
        };
        metrics.begin();
        metrics.register();
        metrics
    }

    /// Begins every series whose labels are known, so that the first event of its kind shows as an increase.
    fn begin(&self) {
        begin(&self.logins, LoginOutcome::LABELS);
        begin(&self.throttled, Limit::LABELS);
        begin(&self.misused, Misuse::LABELS);
        begin(&self.ended, End::LABELS);
        begin(&self.connections, ConnectionState::LABELS);
        begin(&self.database_errors, DatabaseError::LABELS);
        for job in Job::LABELS {
            for outcome in JobOutcome::LABELS {
                drop(self.jobs.get_or_create(&[*job, *outcome]));
            }
        }
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version that runs", build);
        registry.register("http_requests", "Requests, by operation and status of the answer", self.requests.clone());
        let help = "How long requests took until their answer began, by operation";
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, self.durations.clone());
        registry.register("http_requests_in_flight", "Requests that are served now", self.in_flight.clone());
        registry.register("logins", "Tries to sign in, by how they ended", self.logins.clone());
        registry.register(
            "throttled",
            "Requests that were too much, by the limit that they met",
            self.throttled.clone(),
        );
        let help = "Refresh tokens that should not have been about, each of which ended a session";
        registry.register("refresh_tokens_misused", help, self.misused.clone());
        registry.register("sessions_opened", "Sessions that were opened", self.opened.clone());
        let help = "Sessions that this process ended or cleared away, by cause";
        registry.register("sessions_ended", help, self.ended.clone());
        registry.register("hash_queue_length", "Passwords that wait to be hashed", self.hash_queue.clone());
        let help = "How long passwords waited to be hashed";
        registry.register_with_unit("hash_queue_wait", help, Unit::Seconds, self.hash_wait.clone());
        registry.register_with_unit("hash_duration", "How long hashes took", Unit::Seconds, self.hash.clone());
        let help = "Open connections to the database, by whether they are at work";
        registry.register("database_connections", help, self.connections.clone());
        registry.register("database_errors", "Errors that the database caused, by kind", self.database_errors.clone());
        let help = "Runs of work beside requests, also of those that found nothing to do, by how they ended";
        registry.register("job_runs", help, self.jobs.clone());
    }

    /// All of it in the text format of `OpenMetrics`, with these gauges.
    #[must_use]
    pub fn text(&self, gauges: Gauges) -> String {
        set(&self.hash_queue, gauges.hash_queue);
        let connections =
            [(ConnectionState::Idle, gauges.idle_connections), (ConnectionState::Busy, gauges.busy_connections)];
        for (state, number) in connections {
            set(&self.connections.get_or_create(&[state.label()]), number);
        }
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// A request has begun; it ends when what is answered is dropped.
    #[must_use]
    pub fn request(&self) -> InFlight<'_> {
        self.in_flight.inc();
        InFlight(&self.in_flight)
    }

    /// A request was answered, `took` after it came.
    pub fn answered(&self, operation: &str, status: u16, took: Duration) {
        let operation = operation.to_owned();
        self.durations.get_or_create(&Operation { operation: operation.clone() }).observe(took.as_secs_f64());
        self.requests.get_or_create(&Request { operation, status }).inc();
    }

    /// A try to sign in has ended.
    pub fn login(&self, outcome: LoginOutcome) {
        self.logins.get_or_create(&[outcome.label()]).inc();
    }

    /// A request was too much.
    pub fn throttled(&self, limit: Limit) {
        self.throttled.get_or_create(&[limit.label()]).inc();
    }

    /// A refresh token was presented that should not have been about.
    pub fn misused(&self, kind: Misuse) {
        self.misused.get_or_create(&[kind.label()]).inc();
        self.ended(End::Misuse, 1);
    }

    /// A session was opened.
    pub fn opened(&self) {
        self.opened.inc();
    }

    /// Sessions have ended.
    pub fn ended(&self, cause: End, sessions: u64) {
        self.ended.get_or_create(&[cause.label()]).inc_by(sessions);
    }

    /// A password waited to be hashed.
    pub fn hash_waited(&self, span: Duration) {
        self.hash_wait.observe(span.as_secs_f64());
    }

    /// A password was hashed.
    pub fn hashed(&self, span: Duration) {
        self.hash.observe(span.as_secs_f64());
    }

    /// The database caused an error.
    pub fn database_error(&self, kind: DatabaseError) {
        self.database_errors.get_or_create(&[kind.label()]).inc();
    }

    /// A job was run.
    pub fn job(&self, job: Job, outcome: JobOutcome) {
        self.jobs.get_or_create(&[job.label(), outcome.label()]).inc();
    }
}

/// A request that is being served.
#[derive(Debug)]
pub struct InFlight<'a>(&'a Gauge);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Begins the series of each label.
fn begin<M: Default>(family: &Family<[Label; 1], M>, labels: &[Label]) {
    for label in labels {
        drop(family.get_or_create(&[*label]));
    }
}

fn histogram() -> Histogram {
    Histogram::new(BOUNDS)
}

fn set(gauge: &Gauge, value: usize) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}
