//! The table of limits in the security design: each number is that of the source.

use std::{collections::BTreeSet, fs};

use regex::Regex;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Returns the value of a constant as the table has it: the product of its numbers, and a duration in the unit of the
/// source.
fn value(source: &str, name: &str) -> Option<u64> {
    let definition = Regex::new(&format!(r"(?m)^(?:pub(?:\(super\))? )?const {name}: \w+ = ([^;]+);")).unwrap();
    let text = definition.captures(source)?[1].to_owned();
    let span = Regex::new(r"^Duration::from_(millis|secs|mins)\((.+)\)$").unwrap();
    match span.captures(&text) {
        Some(span) => number(&span[2]).map(|value| if &span[1] == "mins" { value * 60 } else { value }),
        None => number(&text),
    }
}

/// Returns the value of a product.
fn number(text: &str) -> Option<u64> {
    text.split('*').map(|factor| factor.trim().replace('_', "").parse::<u64>().ok()).product()
}

/// Returns the rows with another number than the source, and the limits that the table lacks.
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
    // Every limit on requests.
    let bound = Regex::new(r"(?m)^(?:pub(?:\(super\))? )?const (MAX_[A-Z_]+):").unwrap();
    for file in [
        "src/server/middleware/head_limits.rs",
        "src/server/middleware/request_body.rs",
        "src/server/connection.rs",
        "src/json.rs",
        "src/domain/token/access.rs",
        "src/domain/name/alphabet.rs",
    ] {
        let source = fs::read_to_string(format!("{ROOT}/{file}")).unwrap();
        let missing = bound.captures_iter(&source).map(|found| format!("{file} {}", &found[1]));
        faults.extend(missing.filter(|name| !named.contains(name)).map(|name| format!("{name} is not in the table")));
    }
    faults
}

fn security_design() -> String {
    fs::read_to_string(format!("{ROOT}/docs/security-design.md")).unwrap()
}

#[apply(trial)]
async fn limits_of_the_text_are_those_of_the_code_s121() {
    assert_eq!(faults(&security_design()), Vec::<String>::new());
    assert!(security_design().matches("` `").count() > 20, "the table is there");
}

/// A sentence of a guide: the guide, the constants that it states, each with its file, and the sentence with their values.
type Sentence = (&'static str, &'static [(&'static str, &'static str)], fn(&[u64]) -> String);

const SENTENCES: [Sentence; 7] = [
    ("docs/api.md", &[("src/domain/name/alphabet.rs", "MAX_LENGTH")], |of| {
        format!("**Usernames** have 1 to {} characters", of[0])
    }),
    (
        "docs/api.md",
        &[("src/domain/password/policy.rs", "MIN_LENGTH"), ("src/domain/password/policy.rs", "MAX_LENGTH")],
        |of| format!("**Passwords** have {} to {} Unicode characters", of[0], of[1]),
    ),
    ("docs/api.md", &[("src/server/middleware/head_limits.rs", "MAX_URI")], |of| {
        format!("Path and query have more than {} bytes.", of[0])
    }),
    (
        "docs/api.md",
        &[
            ("src/server/middleware/head_limits.rs", "MAX_HEADERS"),
            ("src/server/middleware/head_limits.rs", "MAX_HEADER_BYTES"),
        ],
        |of| format!("The request has more than {} headers, or more than {} KiB of them.", of[0], of[1] / 1024),
    ),
    ("docs/api.md", &[("src/api/well_known.rs", "MAX_AGE")], |of| format!("the response allows {} seconds", of[0])),
    ("docs/operations.md", &[("src/store/pool.rs", "NETWORK_BUDGET")], |of| {
        format!("a request waits for the database for at most {}.{} seconds in all", of[0] / 1000, of[0] % 1000 / 100)
    }),
    ("docs/operations.md", &[("src/store/pool.rs", "SQLITE_BUDGET")], |of| {
        format!("a request waits for at most {}.{} seconds in all", of[0] / 1000, of[0] % 1000 / 100)
    }),
];

/// Returns the sentences that the guides lack. `read` returns the text of a guide.
fn missing_sentences(read: impl Fn(&str) -> String) -> Vec<String> {
    let sentence = |constants: &[(&str, &str)], say: fn(&[u64]) -> String| {
        let values = constants.iter().map(|(file, name)| {
            let source = fs::read_to_string(format!("{ROOT}/{file}")).unwrap();
            value(&source, name).unwrap_or_else(|| panic!("{file} has no {name}"))
        });
        say(&values.collect::<Vec<_>>())
    };
    let sentences = SENTENCES.iter().map(|(guide, constants, say)| (guide, sentence(constants, *say)));
    sentences.filter(|(guide, sentence)| !read(guide).contains(sentence)).map(|(_, sentence)| sentence).collect()
}

#[apply(trial)]
async fn limits_of_the_guides_are_those_of_the_code_s121() {
    let read = |guide: &str| fs::read_to_string(format!("{ROOT}/{guide}")).unwrap();
    assert_eq!(missing_sentences(read), Vec::<String>::new());
    let planted = |guide: &str| read(guide).replace("more than 100 headers", "more than 101 headers");
    assert_eq!(missing_sentences(planted).len(), 1);
    let planted = |guide: &str| read(guide).replace("at most 2.5 seconds", "at most 2.6 seconds");
    assert_eq!(missing_sentences(planted).len(), 1);
}

#[apply(trial)]
async fn planted_wrong_limits_are_found() {
    let text = security_design();
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
