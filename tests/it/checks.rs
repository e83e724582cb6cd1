//! The table of security checks in SECURITY.md: none is left out, and what it says to be tested is tested by tests that
//! run.

use std::{collections::BTreeSet, fs, ops::RangeInclusive, sync::OnceLock};

use libtest_mimic::{Arguments, Trial};
use regex::Regex;
use vestibule::{config::Config, startup};

crate::trials![
    every_check_is_tested_or_says_what_it_waits_for,
    planted_faults_of_the_table_are_found,
    numbers_of_the_texts_are_the_defaults_s121,
];

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

async fn every_check_is_tested_or_says_what_it_waits_for() {
    let faults = faults(&read("SECURITY.md"), TESTS.get().unwrap(), &suites(&read("tests/run")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

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

/// The numbers in texts for people, where a default stands behind them.
async fn numbers_of_the_texts_are_the_defaults_s121() {
    let config = Config::default();
    let (server, sessions, passwords) = (&config.server, &config.sessions, &config.passwords);
    let readme = read("README.md");
    for (variable, default) in [
        ("SERVER__MAX_BODY", server.max_body.to_string()),
        ("SERVER__REQUEST_TIMEOUT", server.request_timeout.to_string()),
        ("SERVER__BODY_TIMEOUT", server.body_timeout.to_string()),
        ("SERVER__IDLE_TIMEOUT", server.idle_timeout.to_string()),
        ("SERVER__MAX_CONNECTIONS", server.max_connections.to_string()),
        ("SERVER__SHUTDOWN_TIMEOUT", server.shutdown_timeout.to_string()),
        ("DATABASE__MAX_CONNECTIONS", config.database.max_connections.to_string()),
        ("TOKENS__ACCESS_LIFETIME", config.tokens.access_lifetime.to_string()),
        ("SESSIONS__LIFETIME", sessions.lifetime.to_string()),
        ("SESSIONS__IDLE_LIFETIME", sessions.idle_lifetime().to_string()),
        ("SESSIONS__REFRESH_GRACE", sessions.refresh_grace.to_string()),
        ("SESSIONS__MAX_PER_ACCOUNT", sessions.max_per_account.to_string()),
        ("PASSWORDS__MIN_LENGTH", passwords.min_length.to_string()),
        ("PASSWORDS__MEMORY_KIB", passwords.memory_kib.to_string()),
        ("PASSWORDS__ITERATIONS", passwords.iterations.to_string()),
        ("PASSWORDS__PARALLELISM", passwords.parallelism.to_string()),
        ("PASSWORDS__QUEUE_WAIT_MS", passwords.queue_wait_ms.to_string()),
    ] {
        let row = format!("| `VESTIBULE_{variable}` | `{default}`");
        assert!(readme.contains(&row), "the README does not say {row}");
    }
    let day = 24 * 60 * 60;
    let (idle, lifetime, grace) = (sessions.idle_lifetime() / day, sessions.lifetime / day, sessions.refresh_grace);
    let words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    let access = words[usize::try_from(config.tokens.access_lifetime / 60).unwrap()];
    let deadlines = startup::connections(&config, None).deadlines;
    let [head, taken, kept] = [deadlines.head, deadlines.answer, deadlines.idle].map(|time| time.as_secs());
    let (body, request) = (server.body_timeout, server.request_timeout);
    let security = read("SECURITY.md");
    for said in [
        format!(
            "{head} seconds for a head (and the handshake, and whatever comes before a protocol is known), {body} for a \
             body, {request} for a request, {taken} for an answer that is not read, {kept} without a request"
        ),
        format!("ends {idle} days after its last refresh and {lifetime} days after its login"),
        format!("accept one until it expires, {access} minutes after it was made"),
        format!("within the grace ({grace} seconds)"),
    ] {
        assert!(security.contains(&said), "SECURITY.md does not say: {said}");
    }
    for said in [
        format!(
            "the head of a request has {head} seconds, TLS handshake included, its body {body}, an answer that is not \
             read {taken}, and a connection without a request {kept}"
        ),
        format!("valid for {access} minutes"),
        format!("after {idle} days without a refresh, after {lifetime} days whatever happens"),
        format!("for {grace} seconds, as long as that one has not been used"),
        format!("argon2id ({} MiB, {} passes)", passwords.memory_kib / 1024, passwords.iterations),
    ] {
        assert!(readme.contains(&said), "the README does not say: {said}");
    }
}
