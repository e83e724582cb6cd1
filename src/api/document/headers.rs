//! The headers of responses: the shared ones, and the spelling of their names.

use serde_json::{Value, json};

use super::error::Object;

/// The headers that the server adds to every response without them.
pub(super) const COMMON_HEADERS: [&str; 2] = ["Cache-Control", "X-Request-Id"];
/// The only header name with a capital letter inside a word.
const WWW_AUTHENTICATE: &str = "WWW-Authenticate";

/// Returns the headers that several responses share, for `components`.
pub(super) fn shared_headers() -> Value {
    let optional = |description: &str, schema: Value| json!({ "description": description, "schema": schema });
    let header =
        |description: &str, schema: Value| json!({ "description": description, "required": true, "schema": schema });
    let text = json!({ "type": "string" });
    let seconds = json!({ "type": "integer", "minimum": 1 });
    let coding =
        "`identity`: send the request body without compression. Only sent if the request has a content coding.";
    json!({
        "Accept-Encoding": optional(coding, text.clone()),
        "Cache-Control": header("`no-store`: do not cache the response.", text.clone()),
        "Retry-After": header("The number of seconds to wait before the next attempt.", seconds),
        "WWW-Authenticate": header("The authentication challenge (RFC 6750).", text.clone()),
        "X-Request-Id": header("The identifier of the request. Quote it when you report a problem.", text),
    })
}

/// Writes the header names of a response in their usual spelling, and adds the headers of every response.
pub(super) fn finish_headers(response: &mut Object) {
    let mut headers = Object::new();
    for (name, header) in response.get("headers").and_then(Value::as_object).into_iter().flatten() {
        headers.insert(usual_spelling(name), header.clone());
    }
    for name in COMMON_HEADERS {
        headers.entry(name).or_insert_with(|| reference(name));
    }
    response.insert("headers".to_owned(), headers.into());
}

/// Returns a reference to a shared header.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

/// Returns the usual spelling of a header name: `Retry-After` for `retry-after`.
pub(super) fn usual_spelling(name: &str) -> String {
    if name.eq_ignore_ascii_case(WWW_AUTHENTICATE) {
        return WWW_AUTHENTICATE.to_owned();
    }
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + &rest.to_lowercase()
    });
    words.collect::<Vec<_>>().join("-")
}
