//! Checks responses against the OpenAPI document.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::LazyLock,
};

use jsonschema::{Draft, Validator};
use regex::Regex;
use serde_json::{Value, json};

use super::{
    client::{Call, TestResponse},
    document,
};

/// Headers that HTTP itself or the hardening adds to every response. The document does not declare them.
const STANDARD_HEADERS: [&str; 12] = [
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
const SECURITY_HEADERS: [(&str, &str); 3] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// The ID of a resource that does not exist.
pub(crate) const UNKNOWN_ID: &str = "00000000-0000-4000-8000-000000000000";

/// Identifies a declared response: operation, status, media type and problem code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ResponseKey {
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
    /// The declared headers, and whether each of them is required.
    headers: BTreeMap<String, bool>,
    content: HashMap<String, Validator>,
    codes: BTreeSet<String>,
}

/// Matches a parameter in a path template.
static PARAMETER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{[a-z_]+\}").unwrap());

static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(read_operations);

fn read_operations() -> Vec<Operation> {
    let mut closed = document().value.clone();
    forbid_unknown_members(&mut closed["components"]["schemas"]);
    let mut operations = Vec::new();
    for (path, methods) in closed["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let request = operation.pointer("/requestBody/content/application~1json/schema");
            operations.push(Operation {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase(),
                path: path.clone(),
                request: request.map(|schema| compile_schema(schema, &closed)),
                responses: operation["responses"]
                    .as_object()
                    .unwrap()
                    .keys()
                    .map(|status| (status.clone(), Response::read(operation, status, &closed)))
                    .collect(),
            });
        }
    }
    operations
}

impl Response {
    /// Reads the response of an operation to a status. Problem responses are shared, and the operation lists its codes.
    fn read(operation: &Value, status: &str, document: &Value) -> Self {
        let declared = resolve(&operation["responses"][status], document);
        let is_required = |header: &Value| resolve(header, document)["required"] == true;
        let headers = declared["headers"].as_object().into_iter().flatten();
        let content = declared["content"].as_object().into_iter().flatten();
        Self {
            headers: headers.map(|(name, header)| (name.to_lowercase(), is_required(header))).collect(),
            content: content.map(|(kind, media)| (kind.clone(), compile_schema(&media["schema"], document))).collect(),
            codes: operation["x-problem-codes"][status]
                .as_array()
                .into_iter()
                .flatten()
                .map(|code| code.as_str().unwrap().to_owned())
                .collect(),
        }
    }
}

/// Returns the value that a reference names, or the value itself.
pub(crate) fn resolve<'a>(value: &'a Value, document: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

/// Forbids undeclared members in every object. The document leaves response objects open for clients; the tests do not.
fn forbid_unknown_members(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.get("type").is_some_and(|kind| kind == "object") {
                members.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            members.values_mut().for_each(forbid_unknown_members);
        }
        Value::Array(items) => items.iter_mut().for_each(forbid_unknown_members),
        _ => {}
    }
}

pub(crate) fn compile_schema(schema: &Value, document: &Value) -> Validator {
    let schema = json!({ "allOf": [schema], "components": document["components"] });
    let options = jsonschema::options().with_draft(Draft::Draft4).should_validate_formats(true);
    options.with_format("uuid", is_canonical_uuid).with_format("date-time", is_time).build(&schema).unwrap()
}

/// Returns whether a text is a UUID in lowercase letters with hyphens, the only form that the service sends.
pub(crate) fn is_canonical_uuid(text: &str) -> bool {
    static FORM: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$").unwrap());
    FORM.is_match(text)
}

/// Returns whether a text is a time in UTC with whole seconds, the only form that the service sends.
pub(crate) fn is_time(text: &str) -> bool {
    static FORM: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$").unwrap());
    FORM.is_match(text)
}

/// What a test that visits every operation needs to know about one.
#[derive(Clone)]
pub(crate) struct OperationInfo {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) path: String,
    /// The path with the ID of a missing resource in place of each parameter.
    pub(crate) url: String,
    /// The example of its request body.
    pub(crate) example: Option<Value>,
    /// JSON pointers to the strings in its request body.
    pub(crate) strings: Vec<String>,
    pub(crate) requires_token: bool,
    /// The problem codes that it declares.
    pub(crate) codes: BTreeSet<String>,
}

/// Returns all operations.
pub(crate) fn operations() -> Vec<OperationInfo> {
    let mut walked = Vec::new();
    for (path, methods) in document().value["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let codes = operation["x-problem-codes"].as_object().unwrap().values();
            let codes = codes.flat_map(|codes| codes.as_array().unwrap());
            let mut strings = Vec::new();
            find_strings(&operation["requestBody"]["content"]["application/json"]["schema"], "", &mut strings);
            walked.push(OperationInfo {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase(),
                path: path.clone(),
                url: with_parameters(path, UNKNOWN_ID),
                example: operation.pointer("/requestBody/content/application~1json/example").cloned(),
                strings,
                requires_token: !operation["security"].as_array().unwrap().is_empty(),
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
pub(crate) fn declared_responses() -> BTreeSet<ResponseKey> {
    let mut all = BTreeSet::new();
    for operation in OPERATIONS.iter() {
        for (status, declared) in &operation.responses {
            let kinds: Vec<_> = declared.content.keys().cloned().collect();
            for media_type in if kinds.is_empty() { vec![String::new()] } else { kinds } {
                let codes: Vec<_> = declared.codes.iter().cloned().collect();
                for code in if codes.is_empty() { vec![String::new()] } else { codes } {
                    all.insert(ResponseKey {
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
pub(crate) fn check_response(call: &Call, response: &TestResponse) -> Result<Option<ResponseKey>, String> {
    let path = call.path.split('?').next().unwrap();
    let method = if call.method == "HEAD" { "GET" } else { call.method.as_str() };
    require!(!response.header("x-request-id").is_empty(), "{response:?} has no X-Request-Id");
    check_security_headers(call, response)?;
    let operation = |known: &&Operation| known.method == method && path_matches(&known.path, path);
    let Some(operation) = OPERATIONS.iter().find(operation) else {
        check_undocumented(call, path, response)?;
        return Ok(None);
    };
    let place = format!("{} {path} -> {} {}", call.method, response.status, response.text);
    let declared = operation.responses.get(&response.status.to_string());
    let declared = declared.ok_or_else(|| format!("undeclared status: {place}"))?;
    check_headers(declared, response, &place)?;
    let media_type = response.header("content-type").split(';').next().unwrap().to_owned();
    if call.method == "HEAD" {
        require!(response.text.is_empty(), "HEAD with a body: {place}");
        return Ok(None);
    }
    if declared.content.is_empty() {
        require!(response.text.is_empty() && media_type.is_empty(), "undeclared body: {place}");
    } else {
        let schema = declared.content.get(&media_type).ok_or_else(|| format!("undeclared media type: {place}"))?;
        let faults: Vec<_> = schema.iter_errors(&response.body).map(|error| error.to_string()).collect();
        require!(faults.is_empty(), "against the schema: {faults:?}: {place}");
    }
    if media_type == "application/problem+json" {
        check_problem(response, &place)?;
        require!(declared.codes.contains(response.code()), "undeclared code: {place}");
    }
    if response.status == 400
        && let (Some(schema), Some(body)) = (&operation.request, call.json_body())
    {
        require!(!schema.is_valid(&body) || has_duplicate_member(call), "a valid request was rejected: {place}");
    }
    Ok(Some(ResponseKey {
        operation: operation.id.clone(),
        status: response.status.to_string(),
        media_type,
        code: response.code().to_owned(),
    }))
}

/// Returns whether a path matches a template, in which `{name}` stands for an identifier.
fn path_matches(pattern: &str, path: &str) -> bool {
    PARAMETER.is_match(pattern)
        && Regex::new(&format!("^{}$", PARAMETER.replace_all(pattern, "[^/]+"))).unwrap().is_match(path)
        || pattern == path
}

/// Returns whether the request body has a duplicate member. Parsing into a value hides those, and no schema can forbid
/// them.
fn has_duplicate_member(call: &Call) -> bool {
    static NAME: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#""([a-z_]+)"\s*:"#).unwrap());
    let text = String::from_utf8_lossy(call.body.as_deref().unwrap_or_default()).into_owned();
    let mut names = BTreeSet::new();
    NAME.captures_iter(&text).any(|found| !names.insert(found[1].to_owned()))
}

/// Checks the security headers. Only public documents may be cached.
fn check_security_headers(call: &Call, response: &TestResponse) -> Result<(), String> {
    let place = format!("{} {}: {:?}", call.method, call.path, response.headers);
    for (name, value) in SECURITY_HEADERS {
        require!(response.header(name) == value, "{name} is not {value}: {place}");
    }
    let policy = response.header("content-security-policy");
    let locked = policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'");
    require!(locked, "the content security policy is too permissive: {place}");
    require!(!response.headers.contains_key("server"), "a Server header was sent: {place}");
    let public = response.status == 200 && (call.path.starts_with("/.well-known/") || is_documentation(&call.path));
    require!(public || response.header("cache-control") == "no-store", "cacheable: {place}");
    Ok(())
}

fn check_headers(declared: &Response, response: &TestResponse, place: &str) -> Result<(), String> {
    for name in response.headers.keys() {
        let known = declared.headers.contains_key(name.as_str()) || STANDARD_HEADERS.contains(&name.as_str());
        require!(known, "undeclared header {name}: {place}");
    }
    for (name, is_required) in &declared.headers {
        require!(!is_required || response.headers.contains_key(name), "declared header {name} is missing: {place}");
    }
    Ok(())
}

fn check_problem(response: &TestResponse, place: &str) -> Result<(), String> {
    require!(response.body["status"] == response.status, "{place}");
    require!(response.body["request_id"] == response.header("x-request-id"), "{place}");
    require!(response.body["message"] == response.body["detail"], "{place}");
    require!(response.body["type"] == format!("urn:vestibule:problem:{}", response.code()), "{place}");
    Ok(())
}

/// Returns whether a path belongs to the front page or the documentation page, or is the document itself.
fn is_documentation(path: &str) -> bool {
    path == "/" || path == "/docs" || path.starts_with("/docs/") || path.starts_with("/openapi.")
}

/// Checks a response that the document does not cover: the documentation, unknown paths, other methods, CORS
/// preflights.
fn check_undocumented(call: &Call, path: &str, response: &TestResponse) -> Result<(), String> {
    let place = format!("{} {path} -> {} {}", call.method, response.status, response.text);
    match response.status {
        200 => require!(is_documentation(path), "undocumented: {place}"),
        307 => require!(matches!(path, "/" | "/docs/"), "undocumented: {place}"),
        204 => {
            let asks = call.method == "OPTIONS" && response.headers.contains_key("access-control-allow-methods");
            require!(asks && response.text.is_empty(), "undocumented: {place}");
        }
        404 | 405 | 413 | 414 | 431 => {
            if call.method != "HEAD" {
                let kinds = compile_schema(&json!({ "$ref": "#/components/schemas/Problem" }), &document().value);
                require!(kinds.is_valid(&response.body), "not a problem: {place}");
                check_problem(response, &place)?;
            }
            require!((response.status == 405) == response.headers.contains_key("allow"), "{place}");
        }
        _ => return Err(format!("undocumented: {place}")),
    }
    Ok(())
}
