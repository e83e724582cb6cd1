//! The table of limits in SECURITY.md: each number is the one that stands in the source.

use std::{collections::BTreeSet, fs};

use regex::Regex;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The value of a constant as the table has it: a product of numbers as it is, a span in the unit that its name says
/// best, which is what the source is written in.
fn value(source: &str, name: &str) -> Option<u64> {
    let definition = Regex::new(&format!(r"(?m)^(?:pub )?const {name}: \w+ = ([^;]+);")).unwrap();
    let text = definition.captures(source)?[1].to_owned();
    let span = Regex::new(r"^Duration::from_(millis|secs|mins)\((.+)\)$").unwrap();
    match span.captures(&text) {
        Some(span) => number(&span[2]).map(|value| if &span[1] == "mins" { value * 60 } else { value }),
        None => number(&text),
    }
}

/// A product.
fn number(text: &str) -> Option<u64> {
    text.split('*').map(|factor| factor.trim().replace('_', "").parse::<u64>().ok()).product()
}

/// Which rows of the table are not true, and what the table must name and does not.
fn faults(text: &str) -> Vec<String> {
    let row = Regex::new(r"(?m)^\| [^|]+ \| (\d+) \| `(src/[a-z_/]+\.rs)` `([A-Z_]+)` \|$").unwrap();
    let mut faults = Vec::new();
    let mut named = BTreeSet::new();
    for row in row.captures_iter(text) {
        let (told, file, name) = (&row[1], &row[2], &row[3]);
        let source = fs::read_to_string(format!("{ROOT}/{file}")).unwrap_or_default();
        let value = value(&source, name).map(|value| value.to_string());
        if value.as_deref() != Some(told) {
            faults.push(format!("{file} {name}: the table says {told}, the source {value:?}"));
        }
        named.insert(format!("{file} {name}"));
    }
    // Every bound on what comes from outside.
    let bound = Regex::new(r"(?m)^(?:pub )?const (MAX_[A-Z_]+):").unwrap();
    for file in [
        "src/server/middleware/head_limits.rs",
        "src/server/middleware/request_body.rs",
        "src/server/connection.rs",
        "src/json.rs",
        "src/domain/token/access.rs",
        "src/domain/name.rs",
    ] {
        let source = fs::read_to_string(format!("{ROOT}/{file}")).unwrap();
        let missing = bound.captures_iter(&source).map(|found| format!("{file} {}", &found[1]));
        faults.extend(missing.filter(|name| !named.contains(name)).map(|name| format!("{name} is not in the table")));
    }
    faults
}

fn security() -> String {
    fs::read_to_string(format!("{ROOT}/SECURITY.md")).unwrap()
}

#[apply(trial)]
async fn limits_of_the_text_are_those_of_the_code_s121() {
    assert_eq!(faults(&security()), Vec::<String>::new());
    assert!(security().matches("` `").count() > 20, "the table is there");
}

#[apply(trial)]
async fn planted_wrong_limits_are_found() {
    let text = security();
    for (from, to) in [
        (
            "| 8192 | `src/server/middleware/head_limits.rs` `MAX_URI` |",
            "| 8191 | `src/server/middleware/head_limits.rs` `MAX_URI` |",
        ),
        (
            "| 8192 | `src/server/middleware/head_limits.rs` `MAX_URI` |",
            "| 8192 | `src/server/middleware/head_limits.rs` `MAX_URL` |",
        ),
        ("| 8192 | `src/server/middleware/head_limits.rs` `MAX_URI` |", "| 8192 | `src/server/gone.rs` `MAX_URI` |"),
        ("| 10 | `src/startup/http.rs` `HEAD_TIMEOUT` |", "| 11 | `src/startup/http.rs` `HEAD_TIMEOUT` |"),
        ("| 2500 | `src/store/pool.rs` `NETWORK_BUDGET` |", "| 2 | `src/store/pool.rs` `NETWORK_BUDGET` |"),
        ("`MAX_HEADER_BYTES` |", "` |"),
    ] {
        assert!(text.contains(from), "{from}");
        assert!(!faults(&text.replace(from, to)).is_empty(), "{to}");
    }
}
