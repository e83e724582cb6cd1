//! The tables of checks: none is missing, and every test that they name runs. And the numbers in the guides: each is the
//! default of the code.

use std::{collections::BTreeSet, fs, ops::RangeInclusive, sync::OnceLock, time::Duration};

use libtest_mimic::{Arguments, Trial};
use regex::Regex;
use vestibule::{
    config::{Config, Count, Limits},
    startup::http,
};

use crate::support::{Settings, trial::Registered};

/// A table of checks.
struct Table {
    file: &'static str,
    /// The letter that ids begin with.
    letter: char,
    /// The numbers that the table has to name.
    numbers: &'static [RangeInclusive<u32>],
}

const SECURITY: Table = Table { file: "tests/it/security-checks.md", letter: 'S', numbers: &[1..=94, 112..=121] };
const RESILIENCE: Table =
    Table { file: "tests/chaos/resilience-checks.md", letter: 'R', numbers: &[1..=13, 15..=23, 26..=28] };
/// The figures of the resilience checks.
const FIGURES: &str = "tests/chaos/RESULTS.md";

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The names of the tests that this run runs, or might.
static TESTS: OnceLock<BTreeSet<String>> = OnceLock::new();

/// Notes which tests there are. One that is ignored proves nothing; in a run of a part, the filter decides nothing.
pub(crate) fn note(trials: &[Trial], arguments: &Arguments, partial: bool) {
    let runs = |trial: &&Trial| {
        if partial {
            !trial.has_ignored_flag()
        } else {
            !arguments.is_ignored(trial) && !arguments.is_filtered_out(trial)
        }
    };
    let names = trials.iter().filter(runs).map(|trial| trial.name().to_owned()).collect();
    assert!(TESTS.set(names).is_ok(), "noted once");
}

/// Returns the suites that `tests/run` knows.
pub(crate) fn suites(script: &str) -> BTreeSet<String> {
    let lists = Regex::new(r"(?m)^(?:alone|lanes|by_name)=\(([^)]*)\)").unwrap();
    let names = lists.captures_iter(script).flat_map(|list| list.extract::<1>().1[0].split([' ', '"']));
    names.filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect()
}

impl Table {
    fn ids(&self) -> Vec<String> {
        self.numbers.iter().cloned().flatten().map(|number| format!("{}{number}", self.letter)).collect()
    }

    /// Returns the faults of the table in a text.
    fn faults(&self, text: &str, tests: &BTreeSet<String>, suites: &BTreeSet<String>) -> Vec<String> {
        let Self { file, letter, .. } = self;
        let row = Regex::new(&format!(r"(?m)^\| ({letter}\d+) \| (.+?) \| (.*) \|$")).unwrap();
        let rows: Vec<_> = row.captures_iter(text).map(|row| [1, 2, 3].map(|cell| row[cell].to_owned())).collect();
        let ids: Vec<_> = rows.iter().map(|[id, ..]| id.clone()).collect();
        let expected = self.ids();
        let mut faults = Vec::new();
        for id in &expected {
            match ids.iter().filter(|other| *other == id).count() {
                0 => faults.push(format!("{id} is missing from {file}")),
                1 => {}
                times => faults.push(format!("{id} occurs {times} times in {file}")),
            }
        }
        let unknown = ids.iter().filter(|id| !expected.contains(id));
        faults.extend(unknown.map(|id| format!("{id} is not a known check of {file}")));
        let lines = text.lines().filter(|line| line.starts_with(&format!("| {letter}"))).count();
        if lines != rows.len() {
            faults.push(format!("{} rows do not have the form `| id | requirement | state |`", lines - rows.len()));
        }
        for [id, _, state] in &rows {
            faults.extend(
                state.split("; ").filter_map(|part| fault(part, tests, suites)).map(|fault| format!("{id}: {fault}")),
            );
        }
        faults
    }
}

/// Returns the fault of a state, or of a part of one that has two.
fn fault(state: &str, tests: &BTreeSet<String>, suites: &BTreeSet<String>) -> Option<String> {
    if let Some(reason) = state.strip_prefix("not built yet:") {
        let named = reason.strip_prefix(" waits for ").is_some_and(|what| !what.trim().is_empty());
        return (!named).then(|| format!("`{state}` does not name what it waits for"));
    }
    let Some(names) = state.strip_prefix("tested: ") else {
        return Some(format!("`{state}` is neither `tested: …` nor `not built yet: waits for …`"));
    };
    let names =
        names.split(", ").map(|name| name.strip_prefix('`').and_then(|name| name.strip_suffix('`')).unwrap_or(name));
    let unknown: Vec<_> = names.filter(|name| !tests.contains(*name) && !suites.contains(*name)).collect();
    (!unknown.is_empty()).then(|| format!("no test and no suite that runs is called {}", unknown.join(", ")))
}

fn read(file: &str) -> String {
    fs::read_to_string(format!("{ROOT}/{file}")).unwrap()
}

#[apply(trial)]
async fn every_check_is_tested_or_says_what_it_waits_for() {
    let faults = SECURITY.faults(&read(SECURITY.file), TESTS.get().unwrap(), &suites(&read("tests/run")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[apply(trial)]
async fn planted_faults_of_the_table_are_found() {
    let (text, tests, suites) = (read(SECURITY.file), TESTS.get().unwrap(), suites(&read("tests/run")));
    assert!(suites.contains("it") && suites.contains("contract") && !suites.contains("tests"), "{suites:?}");
    let row = text.lines().find(|line| line.starts_with("| S1 |")).unwrap();
    let with = |changed: &str| SECURITY.faults(&text.replace(row, changed), tests, &suites).join("\n");
    assert!(with("").contains("S1 is missing"));
    assert!(with(&format!("{row}\n{row}")).contains("S1 occurs 2 times"));
    assert!(with(&format!("{row}\n| S95 | anything | tested: `it` |")).contains("S95 is not a known check"));
    assert!(with("| S1 | anything | tested: `hashing::made_up`, `it` |").ends_with("is called hashing::made_up"));
    assert!(with("| S1 | anything | tested: `surfaces` |").ends_with("is called surfaces"));
    assert!(with("| S1 | anything | tested: `it` and more |").contains("no test and no suite"));
    assert!(with("| S1 | anything | tested: `it`; tested |").contains("is neither"));
    assert!(with("| S1 | anything | not built yet: |").contains("does not name what it waits for"));
    assert!(with("| S1 | anything | not built yet: waits for  |").contains("does not name what it waits for"));
    assert!(with("| S1 | anything | fine |").contains("is neither"));
    assert!(with("| S1 | tested: `it` |").contains("1 rows do not have the form"));
    assert_eq!(with("| S1 | anything | tested: `it`; not built yet: waits for mail |"), "");
    let other = tests.iter().filter(|name| !row.contains(name.as_str())).cloned().collect();
    assert!(SECURITY.faults(&text, &other, &suites).join("\n").contains("S1: no test"), "a test that does not run");
}

/// Returns the names of all tests, also of those that only the suite `chaos` runs.
fn registered() -> BTreeSet<String> {
    let paths = inventory::iter::<Registered>.into_iter().map(|test| test.path);
    paths.map(|path| path.split_once("::").map_or(path, |(_, name)| name).to_owned()).collect()
}

/// Returns the faults of the table of resilience checks, and the checks without figures and figures without a check.
fn resilience_faults(table: &str, figures: &str) -> Vec<String> {
    let mut faults = RESILIENCE.faults(table, &registered(), &BTreeSet::new());
    let row = Regex::new(r"(?m)^\| (R\d+) \|").unwrap();
    let measured: BTreeSet<_> = row.captures_iter(figures).map(|row| row[1].to_owned()).collect();
    let expected: BTreeSet<_> = RESILIENCE.ids().into_iter().collect();
    faults.extend(expected.difference(&measured).map(|id| format!("{id} has no figures in {FIGURES}")));
    faults.extend(measured.difference(&expected).map(|id| format!("{id} of {FIGURES} is not in {}", RESILIENCE.file)));
    faults
}

#[apply(trial)]
async fn every_resilience_check_is_tested_and_measured() {
    let (table, figures) = (read(RESILIENCE.file), read(FIGURES));
    assert_eq!(resilience_faults(&table, &figures), Vec::<String>::new());
    for (from, to, found) in [
        ("| R9 |", "| R14 |", "R9 is missing"),
        ("`chaos::load::parallel_writers_are_all_served_r7`", "`chaos::load::gone`", "is called chaos::load::gone"),
        ("| R22 | slow", "| R22 slow", "do not have the form"),
    ] {
        assert!(table.contains(from), "{from}");
        let faults = resilience_faults(&table.replace(from, to), &figures).join("\n");
        assert!(faults.contains(found), "{faults}");
    }
    let unmeasured = resilience_faults(&table, &figures.replace("| R19 |", "| R24 |")).join("\n");
    assert!(unmeasured.contains("R19 has no figures") && unmeasured.contains("R24 of"), "{unmeasured}");
}

const DAY: u64 = 24 * 60 * 60;

/// How often `unit`, in seconds, is in a duration, which is a whole number of times.
#[track_caller]
fn whole(duration: Duration, unit: u64) -> u64 {
    let seconds = duration.as_secs();
    assert_eq!(seconds % unit, 0, "{seconds} s");
    seconds / unit
}

/// The guides that state defaults in words.
const GUIDES: [&str; 3] = ["docs/api.md", "docs/operations.md", "docs/security-design.md"];

/// Returns the sentences with numbers that each guide must contain, in the order of [`GUIDES`].
fn sentences(config: &Config) -> [Vec<String>; GUIDES.len()] {
    let Config { server, sessions, passwords, limits, .. } = config;
    let grace = sessions.refresh_grace_period.get().as_secs();
    let [idle, lifetime] = [sessions.idle_lifetime(), sessions.lifetime.get()].map(|time| whole(time, DAY));
    let sessions_per_user = sessions.max_per_user.get();
    let words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    let access = words[usize::try_from(whole(config.tokens.access_lifetime.get(), 60)).unwrap()];
    let deadlines = http::server_settings(config, None).deadlines;
    let [head, taken, kept] = [deadlines.head, deadlines.response, deadlines.idle].map(|time| time.as_secs());
    let (body, request) = (server.body_timeout.get().as_secs(), server.request_timeout.get().as_secs());
    let audit = whole(config.audit.retention.get(), DAY);
    let (known, networks) = (whole(limits.known_network_lifetime.get(), DAY), limits.known_networks.get());
    let hash = format!("argon2id ({} MiB, {} passes)", passwords.cost().memory_kib / 1024, passwords.cost().iterations);
    let api = vec![
        format!("valid for {access} minutes"),
        format!("expires {idle} days after its last refresh, and {lifetime} days after its login"),
        format!("A user has at most {sessions_per_user} active sessions"),
        format!("for {grace} seconds, as long as the successor has not been used"),
        format!("for up to {access} minutes by default"),
        format!("server.max_body_size` ({} KiB by default)", server.max_body_size.bytes() / 1024),
        hash.clone(),
    ];
    let operations = vec![
        format!(
            "| sends the head of a request, including the TLS handshake and everything before the protocol is known | \
             {head} seconds | |"
        ),
        format!("| sends the body | {body} seconds | `server.body_timeout` |"),
        format!("| waits for the response, counted from the head | {request} seconds | `server.request_timeout` |"),
        format!("| reads the response | {taken} seconds | |"),
        format!("| keeps a connection open without a request | {kept} seconds | `server.idle_timeout` |"),
        format!("in the last {known} days (at most {networks} networks)"),
        format!("Events are kept for {audit} days"),
        format!("`database.max_connections` ({} by default)", config.database.max_connections.get()),
    ];
    let mut security = vec![
        format!("ends {idle} days after its last refresh and {lifetime} days after its login"),
        format!("accept one until it expires, {access} minutes after it was issued"),
        format!("within the grace period ({grace} seconds)"),
        format!("in the last {known} days. A user has at most {networks};"),
        format!("are kept for {audit} days"),
        hash,
    ];
    security.extend(rate_limits(limits));
    [api, operations, security]
}

/// The rows of the table of rate limits in the security design, which says "a day" for the duration of a lockout.
fn rate_limits(limits: &Limits) -> Vec<String> {
    let [login_burst, logins_per_minute, registrations_per_hour, refused, refreshes, free_failures, threshold] = [
        limits.login_burst,
        limits.logins_per_minute,
        limits.registrations_per_hour,
        limits.rejected_refreshes_per_minute,
        limits.refreshes_per_minute,
        limits.free_failures,
        limits.lockout_threshold,
    ]
    .map(Count::get);
    let longest = whole(limits.max_backoff.get(), 60);
    assert_eq!(limits.lockout_duration.get(), Duration::from_secs(DAY));
    vec![
        format!("| {login_burst} at once, {logins_per_minute} a minute; an attempt with another username"),
        format!(
            "| {free_failures} at once; then a backoff of 1, 2, 4 … seconds, at most {longest} minutes; the {threshold}th \
             locks the user out from unknown networks for a day"
        ),
        format!(
            "| registrations from one client IP | {registrations_per_hour} at once, {registrations_per_hour} an hour |"
        ),
        format!("| rejected refresh tokens from one client IP | {refused} at once, {refused} a minute;"),
        format!("| refreshes of one session | {refreshes} at once, {refreshes} a minute;"),
    ]
}

/// Returns the sentences that the texts of the guides lack.
fn untrue(texts: &[String; GUIDES.len()]) -> Vec<String> {
    let config = Settings::default().config();
    let mut untrue = Vec::new();
    for ((file, text), sentences) in GUIDES.iter().zip(texts).zip(sentences(&config)) {
        let missing = sentences.into_iter().filter(|sentence| !text.contains(sentence));
        untrue.extend(missing.map(|sentence| format!("{file} does not say: {sentence}")));
    }
    untrue
}

/// The numbers in texts for people.
#[apply(trial)]
async fn numbers_of_the_texts_are_the_defaults_s121() {
    let untrue = untrue(&GUIDES.map(read));
    assert!(untrue.is_empty(), "{}", untrue.join("\n"));
}

#[apply(trial)]
async fn planted_wrong_numbers_are_found() {
    for (file, right, wrong) in [
        ("docs/api.md", "for 30 seconds, as long", "for 31 seconds, as long"),
        ("docs/api.md", "valid for ten minutes", "valid for nine minutes"),
        ("docs/operations.md", "(at most 20 networks", "(at most 30 networks"),
        ("docs/operations.md", "| sends the body | 15 seconds", "| sends the body | 16 seconds"),
        ("docs/security-design.md", "| 30 at once, 30 a minute; an attempt", "| 30 at once, 31 a minute; an attempt"),
        ("docs/security-design.md", "at most 15 minutes", "at most 16 minutes"),
        ("docs/security-design.md", "the 100th locks", "the 10th locks"),
        ("docs/security-design.md", "| 20 at once, 20 an hour", "| 21 at once, 20 an hour"),
        ("docs/security-design.md", "A user has at most 20;", "A user has at most 21;"),
    ] {
        let mut texts = GUIDES.map(read);
        let text = &mut texts[GUIDES.iter().position(|guide| *guide == file).unwrap()];
        assert!(text.contains(right), "{right}");
        *text = text.replace(right, wrong);
        assert_eq!(untrue(&texts).len(), 1, "{wrong}");
    }
}
