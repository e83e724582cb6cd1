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
    client::{Answer, Call},
    contract::{self, Seen},
    document,
};

/// If set, the run rewrites the examples instead of comparing them.
const RECORD: &str = "RECORD_EXAMPLES";
/// The file that holds the examples.
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/api/document/examples.json");

#[derive(Default)]
struct Ledger {
    seen: BTreeSet<Seen>,
    examples: BTreeMap<Seen, (Option<Value>, Value)>,
}

static LEDGER: LazyLock<Mutex<Ledger>> = LazyLock::new(Mutex::default);

/// Returns whether this run rewrites the examples.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting")]
pub(crate) fn is_recording() -> bool {
    env::var_os(RECORD).is_some()
}

/// Records a response.
pub(super) fn note(seen: &Seen, call: &Call, answer: &Answer, example: bool) {
    let before = {
        let mut ledger = LEDGER.lock().unwrap();
        ledger.seen.insert(seen.clone());
        example.then(|| ledger.examples.insert(seen.clone(), (call.json_body(), answer.body.clone()))).flatten()
    };
    assert!(before.is_none(), "two examples of {seen:?}");
}

/// Checks the coverage after all tests: every response is declared, every declared response was received, and every
/// example in the document is what the service sends.
pub(crate) fn close() -> ExitCode {
    let ledger = LEDGER.lock().unwrap();
    let declared = contract::declared();
    let unseen: Vec<_> = declared.difference(&ledger.seen).collect();
    let undeclared: Vec<_> = ledger.seen.difference(&declared).collect();
    println!("coverage: {} responses declared, {} received", declared.len(), ledger.seen.len());
    for seen in &unseen {
        println!("coverage: declared but never received: {seen:?}");
    }
    for seen in &undeclared {
        println!("coverage: received but not declared: {seen:?}");
    }
    let recorded = record(&ledger);
    if is_recording() {
        fs::write(EXAMPLES, serde_json::to_string_pretty(&recorded).unwrap() + "\n").unwrap();
        println!("examples: written; rebuild and regenerate openapi.yaml");
        return ExitCode::SUCCESS;
    }
    let missing: Vec<_> = declared.iter().filter(|seen| !ledger.examples.contains_key(*seen)).collect();
    for seen in &missing {
        println!("examples: no exchange was recorded for {seen:?}");
    }
    let committed: Value = serde_json::from_str(&fs::read_to_string(EXAMPLES).unwrap()).unwrap();
    let current = masked(&committed) == masked(&recorded);
    if !current {
        println!(
            "examples: src/api/document/examples.json differs from what the service sends; run `tests/run examples` to update it"
        );
    }
    if unseen.is_empty() && undeclared.is_empty() && missing.is_empty() && current {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Returns the examples in the order of the document.
fn record(ledger: &Ledger) -> Value {
    let mut operations = Map::new();
    for methods in document().value["paths"].as_object().unwrap().values() {
        for operation in methods.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            let mut entry = json!({ "responses": {} });
            for (seen, (request, response)) in ledger.examples.iter().filter(|(seen, _)| seen.operation == id) {
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
fn masked(value: &Value) -> Value {
    static CHANGING: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            "^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|eyJ[A-Za-z0-9_.-]+|vst_r_[A-Za-z0-9_-]+|[A-Za-z0-9_-]{43})$",
        )
        .unwrap()
    });
    match value {
        Value::String(text) if CHANGING.is_match(text) => "…".into(),
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::Object(members) => {
            let sorted: BTreeMap<_, _> = members.iter().map(|(name, member)| (name.clone(), masked(member))).collect();
            serde_json::to_value(sorted).unwrap()
        }
        other => other.clone(),
    }
}
