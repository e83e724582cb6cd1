//! The document: derived from the types that run, then finished here, the one place for all that poem-openapi does not
//! say by itself.

#![expect(clippy::indexing_slicing, reason = "done once, at the start, on what the types make and nobody sends")]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::LazyLock,
};

use poem::{endpoint::BoxEndpoint, http::Method};
use poem_openapi::{
    ContactObject, LicenseObject, OpenApi, OpenApiService, Tags as _,
    registry::{MetaApi, MetaOperation, Registry},
};
use serde_json::{Map, Value, json};

use super::{
    Apis, Tag, bearer, json,
    problem::{self, ProblemCode},
    refused, schema, state,
};

/// The version of OpenAPI that every client generator in use accepts.
const OPENAPI: &str = "3.0.3";

/// The order of the groups of operations.
const TAGS: [Tag; 5] = [Tag::Login, Tag::Account, Tag::Sessions, Tag::Keys, Tag::Health];

/// The problems that any operation may answer, because they arise before or around it.
const EVERYWHERE: &[ProblemCode] = &[
    ProblemCode::BadFraming,
    ProblemCode::BodyTooLarge,
    ProblemCode::UriTooLong,
    ProblemCode::HeadersTooLarge,
    ProblemCode::Internal,
    ProblemCode::TimedOut,
];

const DESCRIPTION: &str = "\
Accounts, passwords, sessions and tokens behind one HTTP API.

**Try it here:** make an account with `POST /register`, sign in with `POST /login`; this page then sends the access \
token by itself, so that `GET /me` knows you. `POST /token/refresh` takes the `refresh_token` out of the login's answer, \
`POST /logout` signs out. A reload forgets the token.

**Errors** are `application/problem+json` (RFC 9457) throughout. Branch on `code`; show `detail` to people; quote \
`request_id` to the operator.";

/// A call that follows from another one's answer.
struct Link {
    from: &'static str,
    status: &'static str,
    name: &'static str,
    description: &'static str,
    to: &'static str,
    /// The next request's body, as one runtime expression over this exchange: openapi-generator reads no other kind.
    body: &'static str,
}

const LINKS: [Link; 1] = [Link {
    from: "register",
    status: "201",
    name: "signIn",
    description: "The new account can sign in with what it was registered with.",
    to: "login",
    body: "$request.body",
}];

/// The operations after which the access token that asked for them is no longer accepted, or may not be: the document
/// marks them with `x-ends-session`.
const ENDS_SESSION: [&str; 2] = ["logout", "endSession"];

/// One recorded exchange for each operation and answer; the tests compare them with what the service sends.
const EXAMPLES: &str = include_str!("examples.json");

static DOCUMENT: LazyLock<Document> = LazyLock::new(Document::derive);

/// The finished document in its two spellings.
#[derive(Debug)]
pub struct Document {
    /// As JSON.
    pub json: String,
    /// As YAML, the spelling that is committed.
    pub yaml: String,
    /// As a value.
    pub value: Value,
}

/// The document, derived once.
#[must_use]
pub fn document() -> &'static Document {
    &DOCUMENT
}

/// Every path with its methods, and the `operationId` of each.
#[must_use]
pub fn paths() -> Vec<(String, Vec<(Method, String)>)> {
    let paths = Apis::meta().into_iter().flat_map(|api| api.paths);
    let mut operations: BTreeMap<String, Vec<(Method, String)>> = BTreeMap::new();
    for path in paths {
        let named = path.operations.into_iter();
        let named = named.map(|operation| (operation.method, operation.operation_id.unwrap_or_default().to_owned()));
        operations.entry(path.path).or_default().extend(named);
    }
    operations.into_iter().collect()
}

impl Document {
    fn derive() -> Self {
        let spec = OpenApiService::new(Derived, "Vestibule", env!("CARGO_PKG_VERSION"))
            .description(DESCRIPTION)
            .contact(ContactObject::new().name("The operator of this service"))
            .license(LicenseObject::new("MIT OR Apache-2.0").url("https://spdx.org/licenses/MIT.html"))
            .server("/")
            .spec();
        // A member that stands twice, as two APIs with one path would make it, leaves no document at all.
        let mut value = crate::json::read(spec.as_bytes()).unwrap_or_default();
        finish(&mut value);
        let json = serde_json::to_string_pretty(&value).unwrap_or_default() + "\n";
        let yaml = serde_yaml::to_string(&value).unwrap_or_default();
        Self { json, yaml, value }
    }
}

/// The APIs with one response for each status: the problems of an operation are listed code by code, and a document
/// with one status twice would be no document.
struct Derived;

impl OpenApi for Derived {
    fn meta() -> Vec<MetaApi> {
        let mut apis = Apis::meta();
        for operation in operations(&mut apis) {
            let mut seen = BTreeSet::new();
            let codes = codes(operation);
            let problems = codes.into_iter().filter(|code| seen.insert(code.status())).map(refused::meta);
            let responses = &mut operation.responses.responses;
            responses.retain(|response| refused::code(response).is_none());
            responses.extend(problems);
            responses.sort_by_key(|response| response.status);
        }
        apis
    }

    fn register(registry: &mut Registry) {
        Apis::register(registry);
    }

    fn add_routes(self, _: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {}
}

fn operations(apis: &mut [MetaApi]) -> impl Iterator<Item = &mut MetaOperation> {
    apis.iter_mut().flat_map(|api| &mut api.paths).flat_map(|path| &mut path.operations)
}

/// Every code that an operation may answer: its own, those of reading its body and its token, those of what it works
/// with, and those of any.
fn codes(operation: &MetaOperation) -> BTreeSet<ProblemCode> {
    let own = operation.responses.responses.iter().filter_map(refused::code);
    let body = if operation.request.is_some() { json::CODES } else { &[] };
    let token = if operation.security.is_empty() { &[] } else { bearer::CODES };
    let state = if operation.tags.contains(&Tag::Health.name()) { &[] } else { state::CODES };
    own.chain([body, token, state, EVERYWHERE].into_iter().flatten().copied()).collect()
}

fn finish(document: &mut Value) {
    let mut apis = Apis::meta();
    let codes = operations(&mut apis)
        .map(|operation| (operation.operation_id.unwrap_or_default(), codes(operation)))
        .collect::<HashMap<_, _>>();
    let examples: Value = serde_json::from_str(EXAMPLES).unwrap_or_default();
    document["openapi"] = OPENAPI.into();
    order_tags(document);
    let none = BTreeSet::new();
    for operation in each_operation(document) {
        let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
        finish_operation(operation, &id, codes.get(id.as_str()).unwrap_or(&none), &examples[&id]);
    }
    close_requests(document);
    document["components"]["headers"] = shared_headers();
    document["components"]["schemas"]["Problem"]["properties"]["code"]["x-extensible-enum"] =
        ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
    whole_numbers(document);
}

fn order_tags(document: &mut Value) {
    if let Some(tags) = document["tags"].as_array_mut() {
        tags.sort_by_key(|tag| TAGS.iter().position(|known| tag["name"] == known.name()));
    }
}

fn each_operation(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let paths = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    paths.filter_map(Value::as_object_mut).flat_map(Map::values_mut)
}

fn finish_operation(operation: &mut Value, operation_id: &str, codes: &BTreeSet<ProblemCode>, examples: &Value) {
    if operation.get("security").is_none() {
        operation["security"] = json!([]);
    }
    if ENDS_SESSION.contains(&operation_id) {
        operation["x-ends-session"] = true.into();
    }
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten().filter_map(Value::as_object_mut) {
        // What these say is so anyway.
        parameter.retain(|name, _| name != "deprecated" && name != "explode");
    }
    if let Some(content) = operation.pointer_mut("/requestBody/content/application~1json") {
        content["example"] = examples["request"].clone();
    }
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for (status, response) in responses {
        name_headers(response);
        if let Some(content) = response.pointer_mut("/content/application~1json") {
            content["example"] = examples["responses"][status].clone();
        }
        let of_status = codes.iter().copied().filter(|code| code.status().as_str() == status).collect::<Vec<_>>();
        link(response, operation_id, status);
        if !of_status.is_empty() {
            describe_problems(response, &of_status, &examples["responses"][status]);
        }
    }
}

fn link(response: &mut Value, operation_id: &str, status: &str) {
    for link in LINKS.iter().filter(|link| link.from == operation_id && link.status == status) {
        response["links"][link.name] =
            json!({ "operationId": link.to, "description": link.description, "requestBody": link.body });
    }
}

/// The headers that several answers share.
fn shared_headers() -> Value {
    let header =
        |description: &str, schema: Value| json!({ "description": description, "required": true, "schema": schema });
    let text = json!({ "type": "string" });
    json!({
        "Cache-Control": header("`no-store`: the answer is for this client alone.", text.clone()),
        "Retry-After": header("After how many seconds to try again.", json!({ "type": "integer", "minimum": 1 })),
        "WWW-Authenticate": header("The challenge of RFC 6750.", text.clone()),
        "X-Request-Id": header("Names the request in the service's log.", text),
    })
}

fn shared_header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

/// The headers of a response in their usual spelling, with those that the server adds to all.
fn name_headers(response: &mut Value) {
    let mut headers = Map::new();
    for (name, header) in response["headers"].as_object().cloned().unwrap_or_default() {
        headers.insert(usual_spelling(&name), header);
    }
    for name in ["Cache-Control", "X-Request-Id"] {
        headers.entry(name).or_insert_with(|| shared_header(name));
    }
    response["headers"] = headers.into();
}

fn usual_spelling(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + &rest.to_lowercase()
    });
    let name = words.collect::<Vec<_>>().join("-");
    if name == "Www-Authenticate" { "WWW-Authenticate".to_owned() } else { name }
}

/// What the codes of one status mean, the header that they carry, and an example of each.
fn describe_problems(response: &mut Value, codes: &[ProblemCode], examples: &Value) {
    let lines = codes.iter().map(|code| format!("- `{}`: {}.", code.as_str(), code.title()));
    response["description"] = lines.collect::<Vec<_>>().join("\n").into();
    response["x-problem-codes"] = codes.iter().map(|code| code.as_str()).collect();
    if let Some((name, _)) = codes.iter().find_map(|code| code.header()) {
        let name = usual_spelling(name.as_str());
        response["headers"][&name] = shared_header(&name);
    }
    let named = codes.iter().map(|code| (code.as_str().to_owned(), json!({ "value": examples[code.as_str()] })));
    response["content"][problem::MEDIA_TYPE]["examples"] = Value::Object(named.collect());
}

/// Closes the objects that clients send. Those that they get stay open, so that a new member breaks no client.
fn close_requests(document: &mut Value) {
    let mut waiting = Vec::new();
    for operation in each_operation(document) {
        references(&operation["requestBody"], &mut waiting);
    }
    let mut closed = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        if closed.insert(name.clone()) {
            let schema = &mut document["components"]["schemas"][&name];
            schema::close(schema);
            references(schema, &mut waiting);
        }
    }
}

fn references(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            let name = members.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
            names.extend(name.map(ToOwned::to_owned));
            members.values().for_each(|member| references(member, names));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, names)),
        _ => {}
    }
}

/// Bounds are floating-point numbers in poem-openapi: `599.0` becomes `599`.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(whole_numbers),
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Number(number) if number.is_f64() => {
            let whole = number.as_f64().filter(|float| float.fract() == 0.0).map(|float| format!("{float:.0}"));
            if let Some(whole) = whole.and_then(|text| text.parse::<i64>().ok()) {
                *value = whole.into();
            }
        }
        _ => {}
    }
}
