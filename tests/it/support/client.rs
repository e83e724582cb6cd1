//! The test client: sends a request, checks the response against the OpenAPI document and records it as covered.

use std::{net::SocketAddr, time::Duration};

use reqwest::{
    Client, Method,
    header::{HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use serde_json::Value;

use super::{canary, contract, coverage};

/// Percent-encodes every byte of a text.
pub(crate) fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
}

/// How long a client waits for a response. It is longer than any service takes, so a test ends even if a lost
/// connection goes unnoticed.
const RESPONSE_TIMEOUT: Duration = Duration::from_mins(1);

/// Returns an HTTP client with a timeout.
pub(super) fn http_client() -> Client {
    Client::builder().redirect(Policy::none()).timeout(RESPONSE_TIMEOUT).build().unwrap()
}

/// Asserts that a request did not time out. A closed connection is a result; no response within the timeout is not.
fn assert_no_timeout(error: &reqwest::Error) {
    assert!(!error.is_timeout(), "no response within {RESPONSE_TIMEOUT:?}: {error:?}");
}

/// A request being built.
pub(crate) struct Call {
    client: Client,
    url: String,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Vec<u8>>,
    chunked: bool,
    example: bool,
}

/// A response that the OpenAPI document declares.
#[derive(Debug)]
pub(crate) struct TestResponse {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// The body as JSON; null if it is not JSON.
    pub(crate) body: Value,
}

impl TestResponse {
    /// Returns the `code` of a problem.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// Returns a header, or an empty text if it was not sent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Asserts the status and code of a problem.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code()), (status, code), "{}", self.text);
    }

    /// Returns the pointer and code of each validation error.
    pub(crate) fn errors(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let errors = self.body["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| (text(&error["pointer"]), text(&error["code"]))).collect()
    }
}

impl Call {
    pub(super) fn new(client: Client, address: SocketAddr, method: Method, path: &str) -> Self {
        Self {
            client,
            url: format!("http://{address}{path}"),
            method,
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: None,
            chunked: false,
            example: false,
        }
    }

    /// Sends the request to another path, as a proxy that keeps the path of the public URL does. The response is still
    /// checked as that of the original path.
    pub(crate) fn sent_to(mut self, path: &str) -> Self {
        self.url.truncate(self.url.len() - self.path.len());
        self.url.push_str(path);
        self
    }

    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        self.headers.append(name, HeaderValue::from_bytes(value.as_ref()).unwrap());
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.text("application/json", body.to_string())
    }

    pub(crate) fn text(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self = self.header("content-type", media_type);
        self.body = Some(body.into());
        self
    }

    /// Sends the body in chunks, without a `Content-Length`.
    pub(crate) fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// Records this exchange as the document's example of the response.
    pub(crate) fn record(mut self) -> Self {
        self.example = true;
        self
    }

    /// Returns the body as JSON, if it was sent as JSON and is valid.
    pub(super) fn json_body(&self) -> Option<Value> {
        let json = self.headers.get("content-type").is_some_and(|value| value.as_bytes() == b"application/json");
        json.then(|| serde_json::from_slice(self.body.as_deref()?).ok()).flatten()
    }

    pub(crate) async fn send(self) -> TestResponse {
        self.try_send().await.expect("the service responds")
    }

    /// Sends the request to a service that may stop at any time. A response that arrives is checked all the same.
    pub(crate) async fn try_send(self) -> Result<TestResponse, reqwest::Error> {
        let mut request = self.client.request(self.method.clone(), &self.url).headers(self.headers.clone());
        if let Some(body) = self.body.clone() {
            request = if self.chunked {
                let pieces = body.chunks(1000).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect::<Vec<_>>();
                request.body(reqwest::Body::wrap_stream(futures_util::stream::iter(pieces)))
            } else {
                request.body(body)
            };
        }
        let received = request.send().await.inspect_err(assert_no_timeout)?;
        let (status, headers) = (received.status().as_u16(), received.headers().clone());
        let text = received.text().await.inspect_err(assert_no_timeout)?;
        let body = serde_json::from_str(&text).unwrap_or_default();
        let response = TestResponse { status, headers, text, body };
        if status >= 400 && canary::is_on() {
            canary::search("the body of a problem", response.text.as_bytes());
        }
        match contract::check_response(&self, &response) {
            Ok(Some(seen)) => coverage::record(&seen, &self, &response, self.example),
            Ok(None) => {}
            Err(difference) => panic!("{difference}"),
        }
        Ok(response)
    }
}
