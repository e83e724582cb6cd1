//! The table of security checks in SECURITY.md: none is left out, and what it says to be tested is tested by tests that
//! run. And the figures of the texts: each is the default of the code.

use std::{collections::BTreeSet, fs, ops::RangeInclusive, sync::OnceLock, time::Duration};

use libtest_mimic::{Arguments, Trial};
use regex::Regex;
use vestibule::{
    config::{Config, Count, Limits},
    startup::http,
};

use crate::support::Settings;

/// The checks that the table has to name.
const IDS: [RangeInclusive<u32>; 2] = [1..=94, 112..=121];

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

/// The suites that `tests/run` knows.
fn suites(script: &str) -> BTreeSet<String> {
    let lists = Regex::new(r"(?m)^(?:suites|by_name)=\(([^)]*)\)").unwrap();
    let names = lists.captures_iter(script).flat_map(|list| list.extract::<1>().1[0].split_whitespace());
    names.map(ToOwned::to_owned).collect()
}

/// What is wrong with the table of checks in a text.
fn faults(text: &str, tests: &BTreeSet<String>, suites: &BTreeSet<String>) -> Vec<String> {
    let row = Regex::new(r"(?m)^\| (S\d+) \| (.+?) \| (.*) \|$").unwrap();
    let rows: Vec<_> = row.captures_iter(text).map(|row| [1, 2, 3].map(|cell| row[cell].to_owned())).collect();
    let ids: Vec<_> = rows.iter().map(|[id, ..]| id.clone()).collect();
    let expected: Vec<_> = IDS.into_iter().flatten().map(|number| format!("S{number}")).collect();
    let mut faults = Vec::new();
    for id in &expected {
        match ids.iter().filter(|other| *other == id).count() {
            0 => faults.push(format!("{id} is missing from the table of checks in SECURITY.md")),
            1 => {}
            times => faults.push(format!("{id} stands {times} times in the table of checks in SECURITY.md")),
        }
    }
    faults.extend(ids.iter().filter(|id| !expected.contains(id)).map(|id| format!("{id} is no check of the table's")));
    let lines = text.lines().filter(|line| line.starts_with("| S")).count();
    if lines != rows.len() {
        faults.push(format!("{} rows are not of the form `| id | what it asks | state |`", lines - rows.len()));
    }
    for [id, _, state] in &rows {
        faults.extend(
            state.split("; ").filter_map(|part| fault(part, tests, suites)).map(|fault| format!("{id}: {fault}")),
        );
    }
    faults
}

/// What is wrong with a state, or with a part of one that is both.
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
    let faults = faults(&read("SECURITY.md"), TESTS.get().unwrap(), &suites(&read("tests/run")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[apply(trial)]
async fn planted_faults_of_the_table_are_found() {
    let (text, tests, suites) = (read("SECURITY.md"), TESTS.get().unwrap(), suites(&read("tests/run")));
    assert!(suites.contains("it") && suites.contains("contract") && !suites.contains("tests"), "{suites:?}");
    let row = text.lines().find(|line| line.starts_with("| S1 |")).unwrap();
    let with = |changed: &str| faults(&text.replace(row, changed), tests, &suites).join("\n");
    assert!(with("").contains("S1 is missing"));
    assert!(with(&format!("{row}\n{row}")).contains("S1 stands 2 times"));
    assert!(with(&format!("{row}\n| S95 | anything | tested: `it` |")).contains("S95 is no check"));
    assert!(with("| S1 | anything | tested: `hashing::made_up`, `it` |").ends_with("is called hashing::made_up"));
    assert!(with("| S1 | anything | tested: `surfaces` |").ends_with("is called surfaces"));
    assert!(with("| S1 | anything | tested: `it` and more |").contains("no test and no suite"));
    assert!(with("| S1 | anything | tested: `it`; tested |").contains("is neither"));
    assert!(with("| S1 | anything | not built yet: |").contains("does not name what it waits for"));
    assert!(with("| S1 | anything | not built yet: waits for  |").contains("does not name what it waits for"));
    assert!(with("| S1 | anything | fine |").contains("is neither"));
    assert!(with("| S1 | tested: `it` |").contains("1 rows are not of the form"));
    assert_eq!(with("| S1 | anything | tested: `it`; not built yet: waits for mail |"), "");
    let other = tests.iter().filter(|name| !row.contains(name.as_str())).cloned().collect();
    assert!(faults(&text, &other, &suites).join("\n").contains("S1: no test"), "a test that does not run");
}

const DAY: u64 = 24 * 60 * 60;

/// How often `unit`, in seconds, is in a duration, which is a whole number of times.
#[track_caller]
fn whole(duration: Duration, unit: u64) -> u64 {
    let seconds = duration.as_secs();
    assert_eq!(seconds % unit, 0, "{seconds} s");
    seconds / unit
}

/// What the README and SECURITY.md say with figures in it, where a default stands behind them.
fn sentences(config: &Config) -> (Vec<String>, Vec<String>) {
    let Config { server, sessions, passwords, limits, .. } = config;
    let grace = sessions.refresh_grace_period.get().as_secs();
    let [idle, lifetime] = [sessions.idle_lifetime(), sessions.lifetime.get()].map(|time| whole(time, DAY));
    let words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    let access = words[usize::try_from(whole(config.tokens.access_lifetime.get(), 60)).unwrap()];
    let deadlines = http::server_settings(config, None).deadlines;
    let [head, taken, kept] = [deadlines.head, deadlines.response, deadlines.idle].map(|time| time.as_secs());
    let (body, request) = (server.body_timeout.get().as_secs(), server.request_timeout.get().as_secs());
    let audit = whole(config.audit.retention.get(), DAY);
    let (known, networks) = (whole(limits.known_network_lifetime.get(), DAY), limits.known_networks.get());
    let readme = vec![
        format!(
            "A client has {head} seconds to send the head of a request, including the TLS handshake, {body} seconds to \
             send its body and {taken} seconds to read the response; an idle connection stays open for {kept} seconds"
        ),
        format!("valid for {access} minutes"),
        format!("expires {idle} days after its last refresh, and {lifetime} days after its login"),
        format!("for {grace} seconds, as long as the successor has not been used"),
        format!("argon2id ({} MiB, {} passes)", passwords.cost().memory_kib / 1024, passwords.cost().iterations),
        format!("in the last {known} days (at most {networks} networks)"),
        format!("Events are kept for {audit} days"),
    ];
    let mut security = vec![
        format!(
            "{head} seconds for the head of a request (including the TLS handshake and everything before the protocol is \
             known), {body} for its body, {request} for the whole request, {taken} for reading the response, {kept} \
             without a request"
        ),
        format!("ends {idle} days after its last refresh and {lifetime} days after its login"),
        format!("accept one until it expires, {access} minutes after it was issued"),
        format!("within the grace period ({grace} seconds)"),
        format!("in the last {known} days. A user has at most {networks};"),
        format!("are kept for {audit} days"),
    ];
    security.extend(rate_limits(limits));
    (readme, security)
}

/// The rows of the table of rate limits in SECURITY.md, which says "a day" for the duration of a lockout.
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
        format!("| {login_burst} at once, {logins_per_minute} a minute; an attempt with another user name"),
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

/// Which figures of the texts are not the defaults.
fn untrue(readme: &str, security: &str) -> Vec<String> {
    let config = Settings::default().config();
    let mut untrue = Vec::new();
    let (of_readme, of_security) = sentences(&config);
    for (file, text, sentences) in [("README.md", readme, of_readme), ("SECURITY.md", security, of_security)] {
        let missing = sentences.into_iter().filter(|sentence| !text.contains(sentence));
        untrue.extend(missing.map(|sentence| format!("{file} does not say: {sentence}")));
    }
    untrue
}

/// The numbers in texts for people.
#[apply(trial)]
async fn numbers_of_the_texts_are_the_defaults_s121() {
    let untrue = untrue(&read("README.md"), &read("SECURITY.md"));
    assert!(untrue.is_empty(), "{}", untrue.join("\n"));
}

#[apply(trial)]
async fn planted_wrong_numbers_are_found() {
    let (readme, security) = (read("README.md"), read("SECURITY.md"));
    let (right, wrong) = ("(at most 20 networks", "(at most 30 networks");
    assert!(readme.contains(right), "{right}");
    assert_eq!(untrue(&readme.replace(right, wrong), &security).len(), 1, "{wrong}");
    for (right, wrong) in [
        ("| 30 at once, 30 a minute; an attempt", "| 30 at once, 31 a minute; an attempt"),
        ("at most 15 minutes", "at most 16 minutes"),
        ("the 100th locks", "the 10th locks"),
        ("| 20 at once, 20 an hour", "| 21 at once, 20 an hour"),
        ("A user has at most 20;", "A user has at most 21;"),
    ] {
        assert!(security.contains(right), "{right}");
        assert_eq!(untrue(&readme, &security.replace(right, wrong)).len(), 1, "{wrong}");
    }
}
