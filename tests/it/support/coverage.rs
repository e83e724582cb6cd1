//! Response coverage: which declared responses the tests have received, with one exchange of each for the document's
//! examples.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    process::ExitCode,
    sync::{LazyLock, Mutex},
};

use regex::Regex;
use serde_json::{Map, Value, json};

use super::{
    client::{Call, TestResponse},
    contract::{self, ResponseKey},
    document,
};

/// If set, the run rewrites the examples instead of comparing them.
const RECORD: &str = "RECORD_EXAMPLES";
/// The file that holds the examples.
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/api/document/examples.json");

#[derive(Default)]
struct Coverage {
    seen: BTreeSet<ResponseKey>,
    examples: BTreeMap<ResponseKey, (Option<Value>, Value)>,
}

static COVERAGE: LazyLock<Mutex<Coverage>> = LazyLock::new(Mutex::default);

/// Returns whether this run rewrites the examples.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting")]
pub(crate) fn is_recording() -> bool {
    env::var_os(RECORD).is_some()
}

/// Records a response.
pub(super) fn record(seen: &ResponseKey, call: &Call, response: &TestResponse, example: bool) {
    let before = {
        let mut coverage = COVERAGE.lock().unwrap();
        coverage.seen.insert(seen.clone());
        example.then(|| coverage.examples.insert(seen.clone(), (call.json_body(), response.body.clone()))).flatten()
    };
    assert!(before.is_none(), "two examples of {seen:?}");
}

/// Checks the coverage after all tests: every response is declared, every declared response was received, and every
/// example in the document is what the service sends.
pub(crate) fn finish() -> ExitCode {
    let coverage = COVERAGE.lock().unwrap();
    let declared = contract::declared_responses();
    let differences = differences(&declared, &coverage.seen);
    println!("coverage: {} responses declared, {} received", declared.len(), coverage.seen.len());
    for difference in &differences {
        println!("coverage: {difference}");
    }
    let recorded = collect_examples(&coverage);
    if is_recording() {
        fs::write(EXAMPLES, serde_json::to_string_pretty(&recorded).unwrap() + "\n").unwrap();
        println!("examples: written; rebuild and regenerate openapi.yaml");
        return ExitCode::SUCCESS;
    }
    let missing: Vec<_> = declared.iter().filter(|seen| !coverage.examples.contains_key(*seen)).collect();
    for seen in &missing {
        println!("examples: no exchange was recorded for {seen:?}");
    }
    let committed: Value = serde_json::from_str(&fs::read_to_string(EXAMPLES).unwrap()).unwrap();
    let current = mask(&committed) == mask(&recorded);
    if !current {
        println!(
            "examples: src/api/document/examples.json differs from what the service sends; run `tests/run examples` to update it"
        );
    }
    if differences.is_empty() && missing.is_empty() && current { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns the differences between the declared and the received responses.
pub(crate) fn differences(declared: &BTreeSet<ResponseKey>, received: &BTreeSet<ResponseKey>) -> Vec<String> {
    let unseen = declared.difference(received).map(|seen| format!("declared but never received: {seen:?}"));
    let undeclared = received.difference(declared).map(|seen| format!("received but not declared: {seen:?}"));
    unseen.chain(undeclared).collect()
}

/// Returns the examples in the order of the document.
fn collect_examples(coverage: &Coverage) -> Value {
    let mut operations = Map::new();
    for methods in document().value["paths"].as_object().unwrap().values() {
        for operation in methods.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            let mut entry = json!({ "responses": {} });
            for (seen, (request, response)) in coverage.examples.iter().filter(|(seen, _)| seen.operation == id) {
                if seen.code.is_empty() {
                    entry["responses"][&seen.status] = response.clone();
                    if let Some(request) = request {
                        entry["request"] = request.clone();
                    }
                } else {
                    entry["responses"][&seen.status][&seen.code] = response.clone();
                }
            }
            operations.insert(id.to_owned(), entry);
        }
    }
    operations.into()
}

/// Masks what differs between runs: identifiers, tokens, keys.
fn mask(value: &Value) -> Value {
    static CHANGING: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            "^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|eyJ[A-Za-z0-9_.-]+|vst_r_[A-Za-z0-9_-]+|[A-Za-z0-9_-]{43})$",
        )
        .unwrap()
    });
    match value {
        Value::String(text) if CHANGING.is_match(text) => "…".into(),
        Value::Array(items) => items.iter().map(mask).collect(),
        Value::Object(members) => {
            let sorted: BTreeMap<_, _> = members.iter().map(|(name, member)| (name.clone(), mask(member))).collect();
            serde_json::to_value(sorted).unwrap()
        }
        other => other.clone(),
    }
}
