//! The OpenAPI document: the committed and the served copies are current, well-formed and complete.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};
use vestibule::api::schema::{CODE_PATTERN, ProblemCode};

use crate::support::{TestApp, contract, document};

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.yaml");

fn operations() -> Vec<Value> {
    let paths = document().value["paths"].as_object().unwrap();
    paths.values().flat_map(|path| path.as_object().unwrap().values().cloned()).collect()
}

#[apply(trial)]
async fn committed_document_is_current() {
    let committed = fs::read_to_string(COMMITTED).unwrap();
    assert!(committed == document().yaml, "run `vestibule openapi > openapi.yaml` to update it");
}

#[apply(trial)]
async fn served_documents_are_current_and_name_the_public_url_as_server() {
    assert_eq!(document().value["servers"], json!([{ "url": "/" }]));
    for url in ["http://localhost:5000", "https://example.com/auth", "https://example.com/a%20b/c"] {
        let app = TestApp::builder().setting("server.public_url", url).start().await;
        let json = app.get("/openapi.json").send().await;
        assert_eq!(json.header("content-type"), "application/json");
        let mut expected = document().value.clone();
        expected["servers"] = json!([{ "url": url }]);
        assert_eq!(json.body, expected);
        let yaml = app.get("/openapi.yaml").send().await;
        let committed = format!("\nservers:\n- url: {url}\n");
        assert_eq!(yaml.text, document().yaml.replace("\nservers:\n- url: /\n", &committed));
        let read: Value = serde_yaml::from_str(&yaml.text).unwrap();
        assert_eq!(read, json.body);
    }
}

#[apply(trial)]
async fn document_has_no_duplicate_members() {
    // serde_yaml rejects a mapping with a duplicate key.
    serde_yaml::from_str::<serde_yaml::Value>(&document().yaml).unwrap();
    assert!(serde_yaml::from_str::<serde_yaml::Value>("a: 1\na: 2").is_err());
}

#[apply(trial)]
async fn operations_are_complete() {
    assert_eq!(document().value["openapi"], "3.0.3");
    let tags: BTreeSet<_> =
        document().value["tags"].as_array().unwrap().iter().map(|tag| tag["name"].clone().to_string()).collect();
    let mut ids = BTreeSet::new();
    for operation in operations() {
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert!(
            id.chars().all(|c| c.is_ascii_alphanumeric()) && id.starts_with(|c: char| c.is_ascii_lowercase()),
            "{id}"
        );
        assert!(ids.insert(id.clone()), "{id} is used twice");
        assert!(operation["summary"].is_string() && operation["description"].is_string(), "{id}");
        assert!(operation["security"].is_array(), "{id}");
        let own = operation["tags"].as_array().unwrap();
        assert!(own.len() == 1 && tags.contains(&own[0].to_string()), "{id}");
        for (status, response) in operation["responses"].as_object().unwrap() {
            let response = contract::resolve(response, &document().value);
            assert!(!response["description"].as_str().unwrap().is_empty(), "{id} {status}");
            assert!(response["headers"]["X-Request-Id"].is_object(), "{id} {status}");
        }
        let succeeds =
            operation["responses"].as_object().unwrap().keys().filter(|status| status.starts_with('2')).count();
        assert_eq!(succeeds, 1, "{id}");
    }
}

#[apply(trial)]
async fn only_request_schemas_forbid_unknown_members() {
    let schemas = &document().value["components"]["schemas"];
    for (name, schema) in schemas.as_object().unwrap() {
        let closed = schema["additionalProperties"] == Value::Bool(false);
        assert_eq!(closed, name.ends_with("Request"), "{name}");
    }
}

/// Visits every schema below a value of the document.
fn schemas_with_format(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Object(members) => {
            if members.contains_key("format") {
                found.push(value.clone());
            }
            members.values().for_each(|member| schemas_with_format(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| schemas_with_format(item, found)),
        _ => {}
    }
}

#[apply(trial)]
async fn strings_with_a_format_have_no_pattern_and_their_exact_form_is_tested() {
    let mut found = Vec::new();
    schemas_with_format(&document().value, &mut found);
    assert!(found.iter().any(|schema| schema["format"] == "uuid"));
    for schema in found {
        assert_eq!(schema.get("pattern"), None, "{schema}");
    }
    let schema = json!({ "properties": {
        "id": { "type": "string", "format": "uuid" },
        "at": { "type": "string", "format": "date-time" },
    } });
    let validator = contract::compile_schema(&schema, &document().value);
    let (id, at) = ("36a1ef70-df50-48c3-b986-56b142692768", "2030-03-17T17:46:40Z");
    assert!(validator.is_valid(&json!({ "id": id, "at": at })));
    for other in [id.to_uppercase(), id.replace('-', ""), format!("{{{id}}}")] {
        assert!(!validator.is_valid(&json!({ "id": other })), "{other}");
    }
    for other in ["2030-03-17T17:46:40.5Z", "2030-03-17T17:46:40+00:00", "2030-03-17t17:46:40z"] {
        assert!(!validator.is_valid(&json!({ "at": other })), "{other}");
    }
}

#[apply(trial)]
async fn examples_match_their_schemas() {
    let mut number = 0;
    for operation in operations() {
        let id = &operation["operationId"];
        let responses = operation["responses"].as_object().unwrap().values();
        let responses = responses.map(|response| contract::resolve(response, &document().value));
        let bodies = responses.chain([&operation["requestBody"]]);
        for media in
            bodies.flat_map(|body| body["content"].as_object().into_iter().flat_map(|content| content.values()))
        {
            let check = contract::compile_schema(&media["schema"], &document().value);
            let several = media["examples"].as_object().into_iter().flat_map(|examples| examples.values());
            let examples: Vec<_> = several.map(|example| &example["value"]).chain(media.get("example")).collect();
            assert!(!examples.is_empty(), "{id}: no example");
            for example in examples {
                let faults: Vec<_> = check.iter_errors(example).map(|error| error.to_string()).collect();
                assert!(faults.is_empty(), "{id}: {example}: {faults:?}");
                number += 1;
            }
        }
    }
    assert!(number > 40, "{number}");
}

#[apply(trial)]
async fn problem_responses_are_shared_and_each_operation_lists_its_codes() {
    let shared = document().value["components"]["responses"].as_object().unwrap();
    for operation in operations() {
        let listed = operation["x-problem-codes"].as_object().unwrap();
        for (status, response) in operation["responses"].as_object().unwrap() {
            let is_problem = status.starts_with(['4', '5']);
            assert_eq!(listed.contains_key(status), is_problem, "{}: {status}", operation["operationId"]);
            if !is_problem {
                continue;
            }
            assert_eq!(response, &json!({ "$ref": format!("#/components/responses/Problem{status}") }));
            let examples = &shared[&format!("Problem{status}")]["content"]["application/problem+json"]["examples"];
            for code in listed[status].as_array().unwrap() {
                let code = code.as_str().unwrap();
                assert_eq!(examples[code]["value"]["code"], code);
                assert!(operation["description"].as_str().unwrap().contains(&format!("`{code}`")), "{code}");
            }
        }
    }
    // Mock servers respond with the first example.
    let first = |status: &str| {
        let examples = &shared[&format!("Problem{status}")]["content"]["application/problem+json"]["examples"];
        examples.as_object().unwrap().keys().next().unwrap().clone()
    };
    assert_eq!((first("400"), first("401")), ("invalid_request".to_owned(), "invalid_credentials".to_owned()));
    assert!(document().yaml.len() < 80_000, "{} bytes", document().yaml.len());
}

#[apply(trial)]
async fn parameters_and_members_of_requests_have_examples() {
    let schemas = &document().value["components"]["schemas"];
    for operation in operations() {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["schema"]["example"].is_string(), "{parameter}");
        }
    }
    for (name, schema) in schemas.as_object().unwrap().iter().filter(|(name, _)| name.ends_with("Request")) {
        for (member, described) in schema["properties"].as_object().unwrap() {
            let check = contract::compile_schema(described, &document().value);
            assert!(check.is_valid(&described["example"]), "{name}.{member}: {described}");
        }
    }
}

#[apply(trial)]
async fn problem_codes_are_listed_and_well_formed() {
    let code = &document().value["components"]["schemas"]["Problem"]["properties"]["code"];
    let listed: Vec<_> =
        code["x-extensible-enum"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
    let known: Vec<_> = ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(listed, known);
    assert!(code.get("enum").is_none());
    let form = regex::Regex::new(CODE_PATTERN).unwrap();
    assert_eq!(code["pattern"], CODE_PATTERN);
    assert!(known.iter().all(|code| form.is_match(code)));
}

#[apply(trial)]
async fn nothing_is_nullable() {
    assert!(!document().json.contains("nullable"));
    assert!(!document().json.contains("null"), "no value may be null");
}

#[apply(trial)]
async fn documentation_page_loads_only_its_own_files() {
    let app = TestApp::new().await;
    let page = app.get("/docs").send().await;
    let policy = page.header("content-security-policy");
    assert_eq!(
        policy,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let links = regex::Regex::new("(?:src|href)=\"([^\"]+)\"").unwrap();
    let files: Vec<_> = links.captures_iter(&page.text).map(|found| found[1].to_owned()).collect();
    assert_eq!(files.len(), 6, "{files:?}");
    for file in files {
        assert_eq!(app.get(&format!("/{file}")).send().await.status, 200, "{file}");
    }
}

/// Generating the document fails if a link or `ENDS_SESSION` names an `operationId` that does not exist. So every name
/// refers to an operation, and none is dropped.
#[apply(trial)]
async fn operations_that_end_the_session_are_marked() {
    let marked = operations().into_iter().filter(|operation| operation["x-ends-session"] == true);
    let ids: BTreeSet<_> = marked.map(|operation| operation["operationId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, ["endSession", "logout"].map(ToOwned::to_owned).into());
}

#[apply(trial)]
async fn links_refer_to_operations_and_fill_their_requests() {
    let schema = |operation: &Value| {
        let name = operation.pointer("/requestBody/content/application~1json/schema/$ref").unwrap().as_str().unwrap();
        let schema = document().value.pointer(name.trim_start_matches('#')).unwrap();
        schema["properties"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>()
    };
    let mut links = 0;
    for operation in operations() {
        let responses = operation["responses"].as_object().unwrap().values();
        for link in responses.flat_map(|response| response["links"].as_object().into_iter().flatten()) {
            let target = operations().into_iter().find(|target| target["operationId"] == link.1["operationId"]);
            let target = target.unwrap_or_else(|| panic!("{link:?} leads nowhere"));
            assert_eq!(link.1["requestBody"], "$request.body");
            assert_eq!(schema(&operation), schema(&target), "{link:?}");
            links += 1;
        }
    }
    assert!(links > 0);
}
