//! Whether a secret is in what the service writes. With `TEST_CANARY` set, all tests run with the log at its most
//! talkative level, and every line of it, of panics and of errors, every metric and the body of every refusal is searched.

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

use regex::bytes::{Regex, RegexSet};
use rustix::{
    pipe::pipe,
    stdio::{dup2_stderr, stderr},
};
use vestibule::{
    config::{Log, LogFormat, Traces},
    telemetry,
};

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

/// What has the length of a key in base64url.
static KEYS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[A-Za-z0-9_-]{43}").unwrap());
static KNOWN_KEYS: LazyLock<Mutex<HashSet<Vec<u8>>>> = LazyLock::new(Mutex::default);
static FOUND: Mutex<Vec<String>> = Mutex::new(Vec::new());
static LINES: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

/// Whether this run looks.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting")]
pub(crate) fn is_on() -> bool {
    static ON: LazyLock<bool> = LazyLock::new(|| env::var_os("TEST_CANARY").is_some());
    *ON
}

/// Makes a key known, in base64url.
pub(crate) fn know(key: &str) {
    KNOWN_KEYS.lock().unwrap().insert(key.trim().as_bytes().to_vec());
}

/// The part of a text that is a secret, if there is one.
fn secret(text: &[u8]) -> Option<String> {
    if SECRETS.is_match(text) {
        return Some(String::from_utf8_lossy(text).into_owned());
    }
    let known = KNOWN_KEYS.lock().unwrap();
    let key = KEYS.find_iter(text).find(|part| known.contains(part.as_bytes()))?;
    Some(format!("the master key at byte {} of: {}", key.start(), String::from_utf8_lossy(text)))
}

/// Searches a text.
pub(crate) fn search(place: &str, text: &[u8]) {
    LINES.fetch_add(1, Ordering::Relaxed);
    BYTES.fetch_add(text.len() as u64, Ordering::Relaxed);
    if let Some(secret) = secret(text) {
        FOUND.lock().unwrap().push(format!("{place}: {secret}"));
    }
}

/// Lets a process log everything.
pub(crate) fn loosen(command: &mut Command) {
    if is_on() {
        command.env("VESTIBULE_LOG__FILTER", "trace");
    }
}

/// Searches what processes have logged to the files of a folder.
pub(crate) fn search_logs(folder: &Path) {
    if !is_on() {
        return;
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let text = fs::read(&path).unwrap_or_default();
            text.split(|byte| *byte == b'\n').for_each(|line| search("log of a process", line));
        }
    }
}

/// Reads all that this process writes to standard error, while it logs everything.
pub(crate) struct Listener {
    usual: OwnedFd,
    reader: JoinHandle<()>,
}

impl Listener {
    /// Begins, where this run looks at all.
    pub(crate) fn start() -> Option<Self> {
        if !is_on() {
            return None;
        }
        let usual = stderr().try_clone_to_owned().unwrap();
        let (reader, writer) = pipe().unwrap();
        dup2_stderr(writer).unwrap();
        let log = Log { filter: "trace".to_owned(), format: LogFormat::Json };
        // Nothing is sent, so there is nothing to end.
        drop(telemetry::start(&log, &Traces::default()).unwrap());
        let reader = thread::spawn(move || {
            let lines = BufReader::new(fs::File::from(reader)).split(b'\n');
            lines.map_while(Result::ok).for_each(|line| search("log, or a panic", &line));
        });
        Some(Self { usual, reader })
    }

    /// Ends, and says what was found.
    pub(crate) fn end(self) -> ExitCode {
        dup2_stderr(&self.usual).unwrap();
        self.reader.join().unwrap();
        let (lines, bytes) = (LINES.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
        let found = FOUND.lock().unwrap();
        println!("canary: {lines} lines, {bytes} bytes searched, secrets found {} times", found.len());
        for place in found.iter().take(20) {
            println!("canary: {}", place.chars().take(500).collect::<String>());
        }
        if found.is_empty() && lines > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Whether a text would be found.
pub(crate) fn finds(text: &str) -> bool {
    secret(text.as_bytes()).is_some()
}
