//! What the guides repeat of the code: endpoints, problem codes, suites and commands.

use std::{collections::BTreeSet, process::Command};

use regex::Regex;
use vestibule::api::schema::ProblemCode;

use super::{pages, read};
use crate::{
    checks::suites,
    support::contract::{OperationInfo, operations},
};

/// Returns the part of a page from a heading to the next heading.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("{heading} is missing"));
    rest.split_once("\n#").map_or(rest, |(section, _)| section)
}

/// Returns the cells of each row of the tables in a section, without their header rows.
fn rows(section: &str) -> Vec<Vec<String>> {
    let lines = section.lines().filter(|line| line.starts_with("| `"));
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
    lines.map(cells).collect()
}

/// Returns the differences between two sets of texts.
fn differences(what: &str, declared: &BTreeSet<String>, documented: &[String]) -> Vec<String> {
    let unique: BTreeSet<_> = documented.iter().cloned().collect();
    let missing = declared.difference(&unique).map(|name| format!("{what} {name} is missing"));
    let unknown = unique.difference(declared).map(|name| format!("{what} {name} does not exist"));
    let twice = unique.iter().filter(|name| documented.iter().filter(|other| other == name).count() > 1);
    let twice = twice.map(|name| format!("{what} {name} occurs twice"));
    missing.chain(unknown).chain(twice).collect()
}

/// Returns the faults of the table of problem codes in the API guide.
fn problem_code_faults(guide: &str) -> Vec<String> {
    let rows = rows(section(guide, "### Problem codes"));
    let declared = |code: &ProblemCode| format!("`{}` {}", code.as_str(), code.status().as_u16());
    let declared = ProblemCode::ALL.iter().map(declared).collect();
    let documented: Vec<_> = rows.iter().map(|row| row.iter().take(2).cloned().collect::<Vec<_>>().join(" ")).collect();
    let mut faults = differences("problem code", &declared, &documented);
    let is_complete = |row: &&Vec<String>| row.len() == 4 && row.iter().all(|cell| !cell.is_empty());
    let incomplete = rows.iter().filter(|row| !is_complete(row));
    faults.extend(incomplete.map(|row| format!("{} does not say when it occurs and what to do", row[0])));
    faults
}

#[apply(trial)]
async fn every_problem_code_is_explained() {
    let guide = read("docs/api.md");
    assert_eq!(problem_code_faults(&guide), Vec::<String>::new());
    let row = guide.lines().find(|line| line.starts_with("| `busy` | 503 |")).unwrap();
    for (planted, found) in [
        ("", "problem code `busy` 503 is missing"),
        ("| `busy` | 502 | When. | What. |", "problem code `busy` 502 does not exist"),
        ("| `buzy` | 503 | When. | What. |", "problem code `buzy` 503 does not exist"),
        ("| `busy` | 503 | When. | |", "`busy` does not say"),
        (&format!("{row}\n{row}"), "problem code `busy` 503 occurs twice"),
    ] {
        let faults = problem_code_faults(&guide.replace(row, planted)).join("\n");
        assert!(faults.contains(found), "{planted}: {faults}");
    }
}

/// Returns the faults of the table of endpoints in the API guide.
fn endpoint_faults(guide: &str) -> Vec<String> {
    let declared = operations().iter().map(|OperationInfo { method, path, .. }| format!("`{method} {path}`")).collect();
    let rows = rows(section(guide, "## Endpoints"));
    let documented: Vec<_> = rows.into_iter().map(|row| row[0].clone()).collect();
    differences("operation", &declared, &documented)
}

#[apply(trial)]
async fn every_operation_is_in_the_guide() {
    let guide = read("docs/api.md");
    assert_eq!(endpoint_faults(&guide), Vec::<String>::new());
    let planted = guide.replace("| `GET /me` |", "| `GET /them` |");
    assert_eq!(endpoint_faults(&planted), ["operation `GET /me` is missing", "operation `GET /them` does not exist"]);
}

#[apply(trial)]
async fn every_suite_is_in_the_guide() {
    let guide = read("docs/contributing.md");
    let described: BTreeSet<_> = rows(section(&guide, "## Suites")).into_iter().map(|row| row[0].clone()).collect();
    let suites: Vec<_> = suites(&read("tests/run")).iter().map(|name| format!("`{name}`")).collect();
    let missing: Vec<_> = suites.iter().filter(|name| !described.contains(*name)).collect();
    assert!(missing.is_empty(), "docs/contributing.md does not describe the suites {missing:?}");
    assert!(suites.len() > 10, "the suites are found: {suites:?}");
}

/// Returns the faults of the commands that a page names.
fn command_faults(page: &str) -> Vec<String> {
    let named = Regex::new(r"\bvestibule (user|keys|audit|config) ([a-z]+)").unwrap();
    let found: BTreeSet<_> =
        named.captures_iter(page).map(|found| (found[1].to_owned(), found[2].to_owned())).collect();
    let unknown = found.into_iter().filter(|(group, command)| {
        let help = Command::new(env!("CARGO_BIN_EXE_vestibule")).args([group, "--help"]).output().unwrap().stdout;
        let help = String::from_utf8(help).unwrap();
        !help.lines().any(|line| line.split_whitespace().next() == Some(command))
    });
    unknown.map(|(group, command)| format!("there is no command `vestibule {group} {command}`")).collect()
}

#[apply(trial)]
async fn commands_of_the_pages_exist() {
    let text: String = pages().iter().map(|page| read(page)).collect();
    assert_eq!(command_faults(&text), Vec::<String>::new());
    assert_eq!(command_faults("Run `vestibule keys rotate`."), ["there is no command `vestibule keys rotate`"]);
}
