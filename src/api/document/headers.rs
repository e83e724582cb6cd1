//! The headers of responses.

use serde_json::{Value, json};

use super::{
    access::{Object, object_in},
    error::DocumentError,
};
use poem::http::HeaderName;

/// The headers that the server adds to every response which does not have them.
const COMMON_HEADERS: [&str; 2] = ["Cache-Control", "X-Request-Id"];
/// The one header name that is not written with a capital letter at the start of each word only.
const WWW_AUTHENTICATE: &str = "WWW-Authenticate";

/// Returns the headers that several responses share, for `components`.
pub(super) fn shared_headers() -> Value {
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

/// Writes the names of a response's headers in their usual spelling, and adds the headers of every response.
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

/// Adds the header of a problem code to a response.
pub(super) fn add_problem_header(response: &mut Object, header: &HeaderName) -> Result<(), DocumentError> {
    let name = usual_spelling(header.as_str());
    object_in(response, "headers")?.insert(name.clone(), reference(&name));
    Ok(())
}

/// Returns a reference to a shared header.
fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

/// Returns the usual spelling of a header name: `Retry-After` for `retry-after`.
fn usual_spelling(name: &str) -> String {
    if name.eq_ignore_ascii_case(WWW_AUTHENTICATE) {
        return WWW_AUTHENTICATE.to_owned();
    }
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + &rest.to_lowercase()
    });
    words.collect::<Vec<_>>().join("-")
}
