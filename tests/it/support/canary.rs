//! Searches everything that the service writes for secrets. With `TEST_CANARY` set, all tests run with tracing on and
//! the log at its most verbose level. The search covers every log line, panic and error, every metric, every span,
//! every audit event and the body of every problem.

use std::{
    collections::HashSet,
    env, fs,
    io::{BufRead as _, BufReader},
    os::fd::OwnedFd,
    path::Path,
    process::{Command, ExitCode},
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use regex::bytes::{Regex, RegexSet};
use rustix::{
    pipe::pipe,
    stdio::{dup2_stderr, stderr},
};
use sea_orm::{ConnectionTrait, EntityTrait as _};
use tokio::{runtime::Handle, task::block_in_place};
use url::Url;
use vestibule::{
    entity::audit_event,
    metrics::{Gauges, Metrics},
    store::connect,
    telemetry::{self, LogFilter, LogFormat, Telemetry, TelemetrySettings},
};

use super::{collector, database};

/// Tokens of both kinds, hashes, keys, and the passwords of these tests.
static SECRETS: LazyLock<RegexSet> = LazyLock::new(|| {
    let patterns = [
        r"eyJ[A-Za-z0-9_-]{16,}\.eyJ",
        r"vst_r_[A-Za-z0-9_-]{40,}",
        r"\$argon2id\$v=",
        r"PRIVATE KEY",
        r"my_password",
        r"another_password",
        r"a better password",
        r"canary-",
    ];
    RegexSet::new(patterns).unwrap()
});

/// Matches anything as long as a key in base64url.
static KEYS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[A-Za-z0-9_-]{43}").unwrap());
static KNOWN_KEYS: LazyLock<Mutex<HashSet<Vec<u8>>>> = LazyLock::new(Mutex::default);
/// The password of the database server, if the tests run on one.
static DATABASE_PASSWORD: LazyLock<Option<String>> = LazyLock::new(|| {
    let url = Url::parse(&database::server_url()?).unwrap();
    url.password().map(ToOwned::to_owned)
});
/// The URL that this run sends its traces to.
static COLLECTOR: LazyLock<String> = LazyLock::new(|| collector::start(search_spans));
static FOUND: Mutex<Vec<String>> = Mutex::new(Vec::new());
static LINES: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);
static SPANS: AtomicU64 = AtomicU64::new(0);
static EVENTS: AtomicU64 = AtomicU64::new(0);
/// The log message of the span exporter when its queue overflows.
const LOST_SPANS: &str = "BatchSpanProcessor dropped a Span";

/// Returns whether this run searches for secrets.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting")]
pub(crate) fn is_on() -> bool {
    static ON: LazyLock<bool> = LazyLock::new(|| env::var_os("TEST_CANARY").is_some());
    *ON
}

/// Registers a key, in base64url, as a secret.
pub(crate) fn register_key(key: &str) {
    KNOWN_KEYS.lock().unwrap().insert(key.trim().as_bytes().to_vec());
}

/// Returns the text if it contains a secret.
fn find_secret(text: &[u8]) -> Option<String> {
    if SECRETS.is_match(text) {
        return Some(String::from_utf8_lossy(text).into_owned());
    }
    let line = String::from_utf8_lossy(text);
    if DATABASE_PASSWORD.as_ref().is_some_and(|password| line.contains(password)) {
        return Some(line.into_owned());
    }
    let known = KNOWN_KEYS.lock().unwrap();
    let key = KEYS.find_iter(text).find(|part| known.contains(part.as_bytes()))?;
    Some(format!("the master key at byte {} of: {line}", key.start()))
}

/// Returns a message if the text reports lost spans.
fn find_lost_spans(text: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(text);
    line.contains(LOST_SPANS).then(|| format!("OTEL_BSP_MAX_QUEUE_SIZE is too small: {line}"))
}

/// Searches a text for secrets.
pub(crate) fn search(place: &str, text: &[u8]) {
    LINES.fetch_add(1, Ordering::Relaxed);
    BYTES.fetch_add(text.len() as u64, Ordering::Relaxed);
    if let Some(secret) = find_secret(text).or_else(|| find_lost_spans(text)) {
        FOUND.lock().unwrap().push(format!("{place}: {secret}"));
    }
}

fn search_spans(resources: &[ResourceSpans]) {
    for span in resources.iter().flat_map(|resource| &resource.scope_spans).flat_map(|scope| &scope.spans) {
        SPANS.fetch_add(1, Ordering::Relaxed);
        search("trace", format!("{span:?}").as_bytes());
    }
}

/// Searches the metrics of a service.
pub(crate) fn search_metrics(metrics: &Metrics) {
    metrics.text(Gauges::default()).lines().for_each(|line| search("metrics", line.as_bytes()));
}

/// Searches the audit log. Some tests leave a database without a readable one.
pub(crate) async fn search_audit_log(db: &impl ConnectionTrait) {
    for event in audit_event::Entity::find().all(db).await.unwrap_or_default() {
        EVENTS.fetch_add(1, Ordering::Relaxed);
        search("audit log", format!("{event:?}").as_bytes());
    }
}

/// Searches the audit log of the database at a URL, if it still exists.
pub(crate) async fn search_audit_log_at(url: &str) {
    if let Ok(db) = connect(&url.to_owned().into(), 1).await {
        search_audit_log(&db).await;
    }
}

/// Runs a future to completion inside a `Drop` implementation.
pub(crate) fn block_on(work: impl Future<Output = ()>) {
    if let Ok(runtime) = Handle::try_current() {
        block_in_place(|| runtime.block_on(work));
    }
}

/// Makes a process log and trace everything.
pub(crate) fn log_everything(command: &mut Command) {
    if is_on() {
        command.env("VESTIBULE_LOG__FILTER", "trace").env("VESTIBULE_TRACES__ENDPOINT", &*COLLECTOR);
    }
}

/// Searches the log files that processes wrote to a folder.
pub(crate) fn search_logs(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let text = fs::read(&path).unwrap_or_default();
            text.split(|byte| *byte == b'\n').for_each(|line| search("log of a process", line));
        }
    }
}

/// Captures everything that this process writes to standard error, and makes it log and trace everything.
pub(crate) struct StderrCapture {
    usual: OwnedFd,
    telemetry: Telemetry,
    reader: JoinHandle<()>,
}

impl StderrCapture {
    /// Starts the capture, if this run searches for secrets.
    pub(crate) fn start() -> Option<Self> {
        if !is_on() {
            return None;
        }
        let usual = stderr().try_clone_to_owned().unwrap();
        let (reader, writer) = pipe().unwrap();
        dup2_stderr(writer).unwrap();
        let settings = TelemetrySettings {
            log_filter: LogFilter::parse("trace").unwrap(),
            log_format: LogFormat::Json,
            traces_endpoint: Some(COLLECTOR.clone()),
        };
        let telemetry = telemetry::start(&settings).unwrap();
        let reader = thread::spawn(move || {
            let lines = BufReader::new(fs::File::from(reader)).split(b'\n');
            lines.map_while(Result::ok).for_each(|line| search("log, or a panic", &line));
        });
        Some(Self { usual, telemetry, reader })
    }

    /// Stops the capture and reports what was found.
    pub(crate) fn finish(self) -> ExitCode {
        self.telemetry.stop();
        dup2_stderr(&self.usual).unwrap();
        self.reader.join().unwrap();
        let [lines, bytes, spans, events] =
            [&LINES, &BYTES, &SPANS, &EVENTS].map(|count| count.load(Ordering::Relaxed));
        let found = FOUND.lock().unwrap();
        println!(
            "canary: {lines} lines, {bytes} bytes searched, {spans} spans and {events} audit events among them; secrets \
             found {} times",
            found.len()
        );
        for place in found.iter().take(20) {
            println!("canary: {}", place.chars().take(500).collect::<String>());
        }
        let seen = [lines, spans, events].iter().all(|count| *count > 0);
        if found.is_empty() && seen { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Returns whether the search would find a secret in this text.
pub(crate) fn contains_secret(text: &str) -> bool {
    find_secret(text.as_bytes()).is_some()
}
