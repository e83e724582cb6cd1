//! The path of a request through the middleware, step by step.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use poem::{
    Addr, Endpoint, Request, Response, Result,
    endpoint::{BoxEndpoint, ToDynEndpoint},
    http::{HeaderValue, Uri},
};
use tracing::Instrument as _;

use super::{access_log, error_response, guard, head_limits, request_body, request_span, response_headers};
use crate::{
    api::{extract::ClientIp, schema::Problem},
    ids::RequestId,
    metrics::Metrics,
    server::{
        connection::SharedEndpoint,
        cors::{self, Access, Cors},
        forwarded::TrustedProxies,
        route_table::{Route, RouteTable},
    },
};

/// The operation in metrics and logs if a request matches none.
const NO_OPERATION: &str = "none";

/// The settings of the middleware.
#[derive(Clone, Debug)]
pub struct MiddlewareSettings {
    /// The maximum size of a request body, in bytes.
    pub max_body: usize,
    /// How long a request may take, including its body.
    pub request_timeout: Duration,
    /// How long the body of a request may take to arrive.
    pub body_timeout: Duration,
    /// The networks of the proxies that name the client IP.
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which these proxies name the client IP, in lower case.
    pub client_ip_header: String,
    /// The origins whose pages may call the service. The first label of a host may be `*`.
    pub cors_origins: Vec<String>,
    /// The request headers that these pages may send, in addition to those that are always allowed.
    pub cors_headers: Vec<String>,
    /// Whether clients reach the service only by HTTPS.
    pub https_only: bool,
    /// The paths whose successful requests are not in the access log.
    pub unlogged_paths: &'static [&'static str],
}

/// Wraps the routes in the middleware.
pub fn wrap_routes(
    routes: BoxEndpoint<'static>,
    route_table: RouteTable,
    settings: MiddlewareSettings,
    metrics: Arc<Metrics>,
) -> SharedEndpoint {
    let pipeline = Pipeline {
        routes,
        route_table,
        max_body: settings.max_body,
        request_timeout: settings.request_timeout,
        body_timeout: settings.body_timeout,
        trusted_proxies: TrustedProxies::new(settings.trusted_proxies, settings.client_ip_header),
        cors: Cors::new(&settings.cors_origins, &settings.cors_headers),
        https_only: settings.https_only,
        unlogged_paths: settings.unlogged_paths,
        metrics,
    };
    Arc::new(ToDynEndpoint(pipeline))
}

/// The routes, and the state of the steps around them.
struct Pipeline {
    routes: BoxEndpoint<'static>,
    route_table: RouteTable,
    max_body: usize,
    request_timeout: Duration,
    body_timeout: Duration,
    trusted_proxies: TrustedProxies,
    cors: Cors,
    https_only: bool,
    unlogged_paths: &'static [&'static str],
    metrics: Arc<Metrics>,
}

/// The facts about a request that are known before it is checked.
struct RequestInfo<'a> {
    id: RequestId,
    started: Instant,
    route: Option<&'a Route>,
    operation: &'a str,
    /// The methods of the path, if the path exists.
    allowed_methods: Option<HeaderValue>,
    /// Which web pages may read the response.
    cors_access: Access,
}

impl Endpoint for Pipeline {
    type Output = Response;

    /// Opens the request's span and responds to the request inside it. Never returns an error.
    async fn call(&self, mut request: Request) -> Result<Response> {
        let _active = self.metrics.track_active_request();
        let info = self.inspect(&request);
        let span = request_span::open(&request, info.id, info.route, info.operation);
        self.remove_base_path(&mut request);
        Ok(self.respond(request, info).instrument(span).await)
    }
}

impl Pipeline {
    fn inspect(&self, request: &Request) -> RequestInfo<'_> {
        let route = self.route_table.find(self.route_table.remove_base_path(request.uri().path()));
        RequestInfo {
            id: RequestId::random(),
            started: Instant::now(),
            route,
            operation: route.and_then(|route| route.operation(request.method())).unwrap_or(NO_OPERATION),
            allowed_methods: route.and_then(Route::allowed_methods),
            cors_access: self.cors.access(request.headers(), route),
        }
    }

    /// Removes the base path from the request's path, so that the routes need not know it.
    fn remove_base_path(&self, request: &mut Request) {
        let path = self.route_table.remove_base_path(request.uri().path());
        if path.len() == request.uri().path().len() {
            return;
        }
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        let mut parts = request.uri().clone().into_parts();
        // What remains of a valid path, from a `/` on, is a valid path. If it were not, the path would have no route.
        parts.path_and_query = format!("{path}{query}").parse().ok();
        if parts.path_and_query.is_some()
            && let Ok(uri) = Uri::from_parts(parts)
        {
            *request.uri_mut() = uri;
        }
    }

    /// Handles the request within its timeout, converts every error into a problem, and completes the response.
    async fn respond(&self, request: Request, info: RequestInfo<'_>) -> Response {
        let is_unlogged = info.route.is_some_and(|route| self.unlogged_paths.contains(&route.template.as_str()));
        if !is_unlogged {
            access_log::log_start();
        }

        let outcome = guard::with_timeout(self.request_timeout, self.handle(request, &info)).await;
        let (mut response, problem) = match outcome {
            Ok(response) => (response, None),
            Err(problem) => (error_response::from_problem(&problem, info.id), Some(problem)),
        };

        error_response::add_allow(&mut response, info.allowed_methods);
        self.cors.add_headers(response.headers_mut(), info.cors_access);
        response_headers::add(response.headers_mut(), info.id, self.https_only);

        let duration = info.started.elapsed();
        self.metrics.record_response(info.operation, response.status().as_u16(), duration);
        if is_unlogged && response.status().is_success() {
            access_log::record_completion(response.status(), None);
        } else {
            access_log::log_completion(response.status(), duration, problem.as_ref());
        }
        response
    }

    /// Checks the request, reads its body and calls the routes.
    async fn handle(&self, request: Request, info: &RequestInfo<'_>) -> Result<Response, Problem> {
        let client_ip = self.client_ip(&request);
        if let Some(ip) = client_ip {
            request_span::record_client_ip(ip);
        }

        head_limits::check(&request)?;

        if cors::is_preflight(&request)
            && info.cors_access != Access::SameOrigin
            && let Some(methods) = &info.allowed_methods
        {
            return Ok(self.cors.preflight_response(methods.clone()));
        }

        let read_body = request_body::read(request, self.max_body);
        let mut request = guard::with_timeout(self.body_timeout, read_body).await?;

        request.set_data(info.id);
        if let Some(ip) = client_ip {
            request.set_data(ClientIp(ip));
        }
        guard::catch_panic(self.routes.call(request)).await?.map_err(Problem::from_error)
    }

    /// Returns the client IP, which is known for every request from a TCP connection.
    fn client_ip(&self, request: &Request) -> Option<IpAddr> {
        match request.remote_addr().0 {
            Addr::SocketAddr(peer) => Some(self.trusted_proxies.client_ip(peer.ip(), request.headers())),
            _ => None,
        }
    }
}
