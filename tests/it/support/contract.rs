//! Checks responses against the OpenAPI document.

use std::{
    collections::{BTreeSet, HashMap},
    sync::LazyLock,
};

use jsonschema::{Draft, Validator};
use regex::Regex;
use serde_json::{Value, json};

use super::{
    client::{Answer, Call},
    document,
};

/// Headers that HTTP itself or the hardening adds to every response. The document does not declare them.
const UNDECLARED: [&str; 12] = [
    "access-control-allow-origin",
    "access-control-expose-headers",
    "connection",
    "content-length",
    "content-security-policy",
    "content-type",
    "cross-origin-resource-policy",
    "date",
    "referrer-policy",
    "strict-transport-security",
    "vary",
    "x-content-type-options",
];

/// Security headers that every response must have.
const HARDENED: [(&str, &str); 3] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// The ID of a resource that does not exist.
pub(crate) const NOTHING: &str = "00000000-0000-4000-8000-000000000000";

/// Identifies a declared response: operation, status, media type and problem code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Seen {
    pub(crate) operation: String,
    pub(crate) status: String,
    pub(crate) media_type: String,
    pub(crate) code: String,
}

struct Operation {
    id: String,
    method: String,
    path: String,
    request: Option<Validator>,
    responses: HashMap<String, Response>,
}

struct Response {
    headers: BTreeSet<String>,
    content: HashMap<String, Validator>,
    codes: BTreeSet<String>,
}

/// Matches a parameter in a path template.
static PARAMETER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{[a-z_]+\}").unwrap());

static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(read);

fn read() -> Vec<Operation> {
    let mut closed = document().value.clone();
    close(&mut closed["components"]["schemas"]);
    let mut operations = Vec::new();
    for (path, methods) in closed["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let request = operation.pointer("/requestBody/content/application~1json/schema");
            operations.push(Operation {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase(),
                path: path.clone(),
                request: request.map(|schema| compile(schema, &closed)),
                responses: operation["responses"]
                    .as_object()
                    .unwrap()
                    .iter()
                    .map(|(status, response)| (status.clone(), Response::read(response, &closed)))
                    .collect(),
            });
        }
    }
    operations
}

impl Response {
    fn read(response: &Value, document: &Value) -> Self {
        let names =
            |value: &Value| value.as_object().into_iter().flatten().map(|(name, _)| name.to_lowercase()).collect();
        let content = response["content"].as_object().into_iter().flatten();
        Self {
            headers: names(&response["headers"]),
            content: content.map(|(kind, media)| (kind.clone(), compile(&media["schema"], document))).collect(),
            codes: response["x-problem-codes"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|code| code.as_str().unwrap().to_owned())
                .collect(),
        }
    }
}

/// Forbids undeclared members in every object. The document leaves response objects open for clients; the tests do not.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.get("type").is_some_and(|kind| kind == "object") {
                members.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

pub(crate) fn compile(schema: &Value, document: &Value) -> Validator {
    let schema = json!({ "allOf": [schema], "components": document["components"] });
    jsonschema::options().with_draft(Draft::Draft4).should_validate_formats(true).build(&schema).unwrap()
}

/// What a test that visits every operation needs to know about one.
#[derive(Clone)]
pub(crate) struct Walked {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) path: String,
    /// The path with the ID of a missing resource in place of each parameter.
    pub(crate) url: String,
    /// The example of its request body.
    pub(crate) example: Option<Value>,
    /// JSON pointers to the strings in its request body.
    pub(crate) strings: Vec<String>,
    pub(crate) wants_token: bool,
    /// The problem codes that it declares.
    pub(crate) codes: BTreeSet<String>,
}

/// Returns all operations.
pub(crate) fn operations() -> Vec<Walked> {
    let mut walked = Vec::new();
    for (path, methods) in document().value["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap().values();
            let codes = responses.flat_map(|response| response["x-problem-codes"].as_array().into_iter().flatten());
            let mut strings = Vec::new();
            find_strings(&operation["requestBody"]["content"]["application/json"]["schema"], "", &mut strings);
            walked.push(Walked {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase(),
                path: path.clone(),
                url: with_parameters(path, NOTHING),
                example: operation.pointer("/requestBody/content/application~1json/example").cloned(),
                strings,
                wants_token: !operation["security"].as_array().unwrap().is_empty(),
                codes: codes.map(|code| code.as_str().unwrap().to_owned()).collect(),
            });
        }
    }
    walked
}

/// Replaces each parameter of a path template with a value.
pub(crate) fn with_parameters(path: &str, value: &str) -> String {
    PARAMETER.replace_all(path, regex::NoExpand(value)).into_owned()
}

/// Collects the pointers of all strings in a schema.
fn find_strings(schema: &Value, pointer: &str, found: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        return find_strings(document().value.pointer(name.trim_start_matches('#')).unwrap(), pointer, found);
    }
    if schema["type"] == "string" {
        found.push(pointer.to_owned());
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        find_strings(member, &format!("{pointer}/{name}"), found);
    }
    if let Some(items) = schema.get("items") {
        find_strings(items, &format!("{pointer}/0"), found);
    }
    for part in ["allOf", "anyOf", "oneOf"].iter().flat_map(|name| schema[name].as_array().into_iter().flatten()) {
        find_strings(part, pointer, found);
    }
}

/// Returns every response that the document declares.
pub(crate) fn declared() -> BTreeSet<Seen> {
    let mut all = BTreeSet::new();
    for operation in OPERATIONS.iter() {
        for (status, response) in &operation.responses {
            let kinds: Vec<_> = response.content.keys().cloned().collect();
            for media_type in if kinds.is_empty() { vec![String::new()] } else { kinds } {
                let codes: Vec<_> = response.codes.iter().cloned().collect();
                for code in if codes.is_empty() { vec![String::new()] } else { codes } {
                    all.insert(Seen {
                        operation: operation.id.clone(),
                        status: status.clone(),
                        media_type: media_type.clone(),
                        code,
                    });
                }
            }
        }
    }
    all
}

/// Returns an error unless the condition holds.
macro_rules! require {
    ($condition:expr, $($text:tt)*) => {
        if !$condition {
            return Err(format!($($text)*));
        }
    };
}

/// Checks a response. Returns its key, or `None` if the document does not cover the request.
///
/// # Errors
///
/// Says how the response differs from what the document declares.
pub(crate) fn judge(call: &Call, answer: &Answer) -> Result<Option<Seen>, String> {
    let path = call.path.split('?').next().unwrap();
    let method = if call.method == "HEAD" { "GET" } else { call.method.as_str() };
    require!(!answer.header("x-request-id").is_empty(), "{answer:?} has no X-Request-Id");
    check_hardening(call, answer)?;
    let operation = |known: &&Operation| known.method == method && fits(&known.path, path);
    let Some(operation) = OPERATIONS.iter().find(operation) else {
        outside(call, path, answer)?;
        return Ok(None);
    };
    let place = format!("{} {path} -> {} {}", call.method, answer.status, answer.text);
    let response = operation.responses.get(&answer.status.to_string());
    let response = response.ok_or_else(|| format!("undeclared status: {place}"))?;
    check_headers(response, answer, &place)?;
    let media_type = answer.header("content-type").split(';').next().unwrap().to_owned();
    if call.method == "HEAD" {
        require!(answer.text.is_empty(), "HEAD with a body: {place}");
        return Ok(None);
    }
    if response.content.is_empty() {
        require!(answer.text.is_empty() && media_type.is_empty(), "undeclared body: {place}");
    } else {
        let schema = response.content.get(&media_type).ok_or_else(|| format!("undeclared media type: {place}"))?;
        let faults: Vec<_> = schema.iter_errors(&answer.body).map(|error| error.to_string()).collect();
        require!(faults.is_empty(), "against the schema: {faults:?}: {place}");
    }
    if media_type == "application/problem+json" {
        check_problem(answer, &place)?;
        require!(response.codes.contains(answer.code()), "undeclared code: {place}");
    }
    if answer.status == 400
        && let (Some(schema), Some(body)) = (&operation.request, call.json_body())
    {
        require!(!schema.is_valid(&body) || repeats_a_member(call), "a valid request was rejected: {place}");
    }
    Ok(Some(Seen {
        operation: operation.id.clone(),
        status: answer.status.to_string(),
        media_type,
        code: answer.code().to_owned(),
    }))
}

/// Returns whether a path matches a template, in which `{name}` stands for an identifier.
fn fits(pattern: &str, path: &str) -> bool {
    PARAMETER.is_match(pattern)
        && Regex::new(&format!("^{}$", PARAMETER.replace_all(pattern, "[^/]+"))).unwrap().is_match(path)
        || pattern == path
}

/// Returns whether the request body has a duplicate member. Parsing into a value hides those, and no schema can forbid
/// them.
fn repeats_a_member(call: &Call) -> bool {
    static NAME: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#""([a-z_]+)"\s*:"#).unwrap());
    let text = String::from_utf8_lossy(call.body.as_deref().unwrap_or_default()).into_owned();
    let mut names = BTreeSet::new();
    NAME.captures_iter(&text).any(|found| !names.insert(found[1].to_owned()))
}

/// Checks the security headers. Only public documents may be cached.
fn check_hardening(call: &Call, answer: &Answer) -> Result<(), String> {
    let place = format!("{} {}: {:?}", call.method, call.path, answer.headers);
    for (name, value) in HARDENED {
        require!(answer.header(name) == value, "{name} is not {value}: {place}");
    }
    let policy = answer.header("content-security-policy");
    let locked = policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'");
    require!(locked, "the content security policy is too permissive: {place}");
    require!(!answer.headers.contains_key("server"), "a Server header was sent: {place}");
    let public = answer.status == 200 && (call.path.starts_with("/.well-known/") || is_documentation(&call.path));
    require!(public || answer.header("cache-control") == "no-store", "cacheable: {place}");
    Ok(())
}

fn check_headers(response: &Response, answer: &Answer, place: &str) -> Result<(), String> {
    for name in answer.headers.keys() {
        let known = response.headers.contains(name.as_str()) || UNDECLARED.contains(&name.as_str());
        require!(known, "undeclared header {name}: {place}");
    }
    for name in &response.headers {
        require!(answer.headers.contains_key(name), "declared header {name} is missing: {place}");
    }
    Ok(())
}

fn check_problem(answer: &Answer, place: &str) -> Result<(), String> {
    require!(answer.body["status"] == answer.status, "{place}");
    require!(answer.body["request_id"] == answer.header("x-request-id"), "{place}");
    require!(answer.body["message"] == answer.body["detail"], "{place}");
    require!(answer.body["type"] == format!("urn:vestibule:problem:{}", answer.code()), "{place}");
    Ok(())
}

/// Returns whether a path belongs to the documentation page or is the document itself.
fn is_documentation(path: &str) -> bool {
    path == "/docs" || path.starts_with("/docs/") || path.starts_with("/openapi.")
}

/// Checks a response that the document does not cover: the documentation, unknown paths, other methods, CORS
/// preflights.
fn outside(call: &Call, path: &str, answer: &Answer) -> Result<(), String> {
    let place = format!("{} {path} -> {} {}", call.method, answer.status, answer.text);
    match answer.status {
        200 => require!(is_documentation(path), "undocumented: {place}"),
        204 => {
            let asks = call.method == "OPTIONS" && answer.headers.contains_key("access-control-allow-methods");
            require!(asks && answer.text.is_empty(), "undocumented: {place}");
        }
        404 | 405 | 413 | 414 | 431 => {
            if call.method != "HEAD" {
                let kinds = compile(&json!({ "$ref": "#/components/schemas/Problem" }), &document().value);
                require!(kinds.is_valid(&answer.body), "not a problem: {place}");
                check_problem(answer, &place)?;
            }
            require!((answer.status == 405) == answer.headers.contains_key("allow"), "{place}");
        }
        _ => return Err(format!("undocumented: {place}")),
    }
    Ok(())
}
