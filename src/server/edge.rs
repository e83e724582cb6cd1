//! The edge around the routes: limits on the way in; on the way out every failure as a problem, and the headers that
//! all answers carry.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{FutureExt as _, StreamExt as _};
use ipnet::IpNet;
use poem::{
    Addr, Endpoint, Request, Response, Result,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
};
use tracing::{Instrument as _, field};

use super::{
    cors::{self, Cors},
    forwarded::Proxies,
    framing::Framing,
    paths::Paths,
    trace_context,
};
use crate::{
    api::{
        document::Document,
        extract::ClientIp,
        schema::{Problem, ProblemCode},
    },
    ids::RequestId,
    metrics::Metrics,
    store::with_request_budget,
};

/// The most bytes of path and query.
const MAX_URI: usize = 8 * 1024;
/// The most headers of a request.
const MAX_HEADERS: usize = 100;
/// The most bytes of all headers together, names included.
const MAX_HEADER_BYTES: usize = 32 * 1024;

/// How much of a body that is too large is read before the answer.
const MAX_DROPPED: usize = 4 * 1024 * 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers of every answer, unless the answer has its own.
const ALWAYS: [(HeaderName, HeaderValue); 5] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Browsers that have seen this speak https for a year (RFC 6797).
const A_YEAR_OF_HTTPS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// What can be configured.
#[derive(Clone, Debug)]
pub struct EdgeSettings {
    /// The most bytes of a body.
    pub max_body: usize,
    /// How long a request may take, its body included.
    pub request_timeout: Duration,
    /// How long its body may take to arrive.
    pub body_timeout: Duration,
    /// The networks of proxies that say where a request came from.
    pub trusted_proxies: Vec<IpNet>,
    /// The origins whose pages may call the service from a browser.
    pub cors_origins: Vec<String>,
    /// Whether clients reach the service by https alone.
    pub https: bool,
}

/// The endpoint that stands before all others.
#[derive(Debug)]
pub struct Edge<E> {
    inner: E,
    settings: EdgeSettings,
    proxies: Proxies,
    cors: Cors,
    paths: Paths,
    metrics: Arc<Metrics>,
}

impl<E> Edge<E> {
    /// Puts the edge around `inner`.
    pub fn new(inner: E, document: &Document, settings: EdgeSettings, metrics: Arc<Metrics>) -> Self {
        let proxies = Proxies::new(settings.trusted_proxies.clone());
        let cors = Cors::new(settings.cors_origins.clone());
        Self { inner, settings, proxies, cors, paths: Paths::new(document), metrics }
    }
}

impl<E: Endpoint<Output = Response>> Endpoint for Edge<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let (begun, _in_flight) = (Instant::now(), self.metrics.request());
        let id = RequestId::random();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let operation = self.paths.operation(&method, &path);
        let span = tracing::info_span!(
            "request",
            %id,
            operation,
            user.id = field::Empty,
            session.id = field::Empty,
            trace_id = field::Empty
        );
        trace_context::join(&span, request.headers());
        let origin = self.cors.origin(request.headers());
        let asks = (cors::is_preflight(&request) && origin.is_some()).then(|| self.paths.allow(&path)).flatten();
        let answer = async {
            tracing::debug!(%method, path, "asked");
            let outcome = tokio::time::timeout(self.settings.request_timeout, self.guarded(request, id, asks)).await;
            let outcome = outcome.unwrap_or_else(|_| Err(Problem::new(ProblemCode::TimedOut)));
            let (mut answer, problem) = match outcome {
                Ok(answer) => (answer, None),
                Err(problem) => (refuse(&problem, id), Some(problem)),
            };
            if answer.status() == StatusCode::METHOD_NOT_ALLOWED {
                let allow = self.paths.allow(&path).unwrap_or(HeaderValue::from_static(""));
                answer.headers_mut().insert(header::ALLOW, allow);
            }
            self.cors.complete(answer.headers_mut(), origin);
            self.complete(answer.headers_mut(), id);
            let took = begun.elapsed();
            self.metrics.answered(operation, answer.status().as_u16(), took);
            tell(answer.status(), took, problem.as_ref());
            answer
        };
        Ok(answer.instrument(span).await)
    }
}

impl<E: Endpoint<Output = Response>> Edge<E> {
    /// Checks the limits, then calls the routes; a panic below costs this request alone.
    async fn guarded(&self, request: Request, id: RequestId, asks: Option<HeaderValue>) -> Result<Response, Problem> {
        check_head(&request)?;
        if let Some(methods) = asks {
            return Ok(cors::preflight(methods));
        }
        let arrived = tokio::time::timeout(self.settings.body_timeout, self.with_whole_body(request)).await;
        let mut request = arrived.unwrap_or_else(|_| Err(Problem::new(ProblemCode::TimedOut)))?;
        self.attach_client(&mut request);
        request.set_data(id);
        match AssertUnwindSafe(with_request_budget(self.inner.call(request))).catch_unwind().await {
            Ok(outcome) => outcome.map_err(Problem::from_error),
            Err(_) => Err(Problem::new(ProblemCode::Internal).with_cause("the handler panicked")),
        }
    }

    /// Adds the headers that all answers carry.
    fn complete(&self, headers: &mut HeaderMap, id: RequestId) {
        for (name, value) in ALWAYS {
            headers.entry(name).or_insert(value);
        }
        if self.settings.https {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, A_YEAR_OF_HTTPS);
        }
        if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
            headers.insert(REQUEST_ID, id);
        }
    }

    /// Attaches the address of the client for whoever asks.
    fn attach_client(&self, request: &mut Request) {
        if let Addr::SocketAddr(peer) = request.remote_addr().0 {
            let ip = ClientIp(self.proxies.client(peer.ip(), request.headers()));
            request.set_data(ip);
        }
    }

    /// Reads the body, whatever the method, up to the limit. Of one that is too large some more is read and dropped,
    /// because most clients look for an answer only when they have sent all.
    async fn with_whole_body(&self, mut request: Request) -> Result<Request, Problem> {
        let mut pieces = std::pin::pin!(request.take_body().into_bytes_stream());
        let (mut body, mut read) = (Vec::new(), 0_usize);
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| {
                Problem::new(ProblemCode::BadFraming).with_cause(format!("the body broke: {error}"))
            })?;
            read = read.saturating_add(piece.len());
            if read <= self.settings.max_body {
                body.extend_from_slice(&piece);
            } else if read > MAX_DROPPED {
                break;
            }
        }
        if read > self.settings.max_body {
            return Err(Problem::new(ProblemCode::BodyTooLarge));
        }
        request.set_body(body);
        Ok(request)
    }
}

fn check_head(request: &Request) -> Result<(), Problem> {
    let (uri, headers) = (request.uri(), request.headers());
    if let Some(Framing::Ambiguous(reason)) = request.extensions().get() {
        return Err(Problem::new(ProblemCode::BadFraming).with_cause(*reason));
    }
    if !names_one_host(uri, headers) {
        return Err(Problem::new(ProblemCode::BadFraming).with_cause("the target and the header name different hosts"));
    }
    if uri.path_and_query().map_or(0, |text| text.as_str().len()) > MAX_URI {
        return Err(Problem::new(ProblemCode::UriTooLong));
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len().saturating_add(value.len())).sum();
    if headers.len() > MAX_HEADERS || bytes > MAX_HEADER_BYTES {
        return Err(Problem::new(ProblemCode::HeadersTooLarge));
    }
    Ok(())
}

/// Whether the target, where it is a whole URL, and the header say the same; there may be one of them alone.
fn names_one_host(uri: &Uri, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (uri.authority(), hosts.next(), hosts.next()) {
        (Some(target), Some(host), None) => host.as_bytes().eq_ignore_ascii_case(target.as_str().as_bytes()),
        (_, _, more) => more.is_none(),
    }
}

/// The answer of a problem.
fn refuse(problem: &Problem, id: RequestId) -> Response {
    let mut answer = problem.to_response(&id.to_string());
    if problem.code() == ProblemCode::BadFraming {
        // Nobody knows what is behind it. HTTP/2 frames its requests itself, and hyper leaves this out there.
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

/// Logs a request, once. Its span says which one it was and whose; the id is the one that the client is told.
fn tell(status: StatusCode, took: Duration, problem: Option<&Problem>) {
    let (status, ms) = (status.as_u16(), took.as_secs_f64() * 1_000.0);
    let code = problem.map(|problem| problem.code().as_str());
    match (problem.map(Problem::code), problem.and_then(Problem::cause)) {
        (Some(ProblemCode::Internal), cause) => tracing::error!(status, ms, code, cause, "answered"),
        // Strangers cause these as often as they like.
        (Some(ProblemCode::BadFraming), cause) => tracing::info!(status, ms, code, cause, "answered"),
        (_, Some(cause)) => tracing::warn!(status, ms, code, cause, "answered"),
        (_, None) => tracing::info!(status, ms, code, "answered"),
    }
}
