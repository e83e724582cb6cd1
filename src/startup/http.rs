//! Connects the routes of the API to the HTTP server, and derives the server's settings from the configuration.

use std::{sync::Arc, time::Duration};

use poem::{Endpoint as _, EndpointExt as _, endpoint::BoxEndpoint, http::Method};
use rustix::process::{Resource, getrlimit};

use crate::{
    api::{
        self, ApiSettings,
        document::{Document, DocumentError},
    },
    config::{Config, HeaderName, Origin, ProxyNetwork},
    domain::instance::Instance,
    metrics::Metrics,
    server::{
        self, DeadlineSettings, MiddlewareSettings, RouteTable, ServerSettings, SharedEndpoint, Tls, TlsError, TlsFiles,
    },
    store::with_request_budget,
};

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take to read a response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// How many files the process opens in addition to connections: listeners, timers, the log, random numbers, and a
/// reserve.
const OWN_FILES: u64 = 64;
/// How many files SQLite opens for each connection: the database, its log and its index.
const FILES_PER_DATABASE_CONNECTION: u64 = 3;

/// The paths of public metadata (RFC 8615), such as public keys. Verifiers may run in web pages of any origin.
const PUBLIC_METADATA: &str = "/.well-known/";
/// The operation of requests for the documentation and the front page, in metrics and logs.
const DOCS_OPERATION: &str = "docs";

/// The routes of the service.
pub struct Routes {
    /// The endpoint for all paths of the table.
    pub endpoint: BoxEndpoint<'static>,
    /// The paths and methods.
    table: RouteTable,
}

/// Creates the routes of the service: the operations of the API and, if it is enabled, the documentation. All database
/// work of a request shares one time budget.
///
/// # Errors
/// Returns a [`DocumentError`] if the document cannot be served.
pub fn routes(instance: Arc<Instance>, document: &'static Document, config: &Config) -> Result<Routes, DocumentError> {
    let settings = api_settings(config);
    let endpoint = api::routes(instance, document, &settings)?
        .around(|routes, request| with_request_budget(async move { routes.call(request).await }))
        .map_to_response()
        .boxed();
    Ok(Routes { endpoint, table: route_table(document, &settings) })
}

fn api_settings(config: &Config) -> ApiSettings {
    ApiSettings {
        public_url: config.server.public_url.as_str().to_owned(),
        base_path: config.server.public_url.path().to_owned(),
        docs: config.docs.enabled,
    }
}

/// Wraps routes in the server's middleware.
pub fn endpoint(routes: Routes, settings: MiddlewareSettings, metrics: &Arc<Metrics>) -> SharedEndpoint {
    server::wrap_routes(routes.endpoint, routes.table, settings, Arc::clone(metrics))
}

/// Lists the paths of the API, of the front page and of the documentation.
fn route_table(document: &Document, settings: &ApiSettings) -> RouteTable {
    let get = (Method::GET, DOCS_OPERATION.to_owned());
    let mut paths = document.paths();
    paths.extend(api::docs::paths(settings.docs).into_iter().map(|path| (path.to_owned(), vec![get.clone()])));
    let route = |(template, operations): (String, _)| {
        let any_origin = template.starts_with(PUBLIC_METADATA);
        server::Route { template, operations, any_origin }
    };
    RouteTable::new(paths.into_iter().map(route).collect(), settings.base_path.clone())
}

/// Creates the endpoint for Prometheus.
pub fn metrics_endpoint(instance: Arc<Instance>) -> SharedEndpoint {
    server::metrics_endpoint(move || instance.render_metrics())
}

/// Derives the settings of the middleware.
pub fn middleware_settings(config: &Config) -> MiddlewareSettings {
    let server = &config.server;
    MiddlewareSettings {
        unlogged_paths: if config.log.health_checks { &[] } else { &api::HEALTH_PATHS },
        max_body: server.max_body_size.bytes(),
        request_timeout: server.request_timeout.get(),
        body_timeout: server.body_timeout.get(),
        trusted_proxies: server.trusted_proxies.iter().copied().map(ProxyNetwork::get).collect(),
        client_ip_header: server.client_ip_header.as_str().to_owned(),
        cors_origins: server.cors_origins.iter().map(Origin::as_str).map(ToOwned::to_owned).collect(),
        cors_headers: server.cors_headers.iter().map(HeaderName::as_str).map(ToOwned::to_owned).collect(),
        https_only: server.public_url.is_https(),
    }
}

/// Derives the settings of the server's listeners and connections.
pub fn server_settings(config: &Config, tls: Option<Arc<Tls>>) -> ServerSettings {
    let server = &config.server;
    ServerSettings {
        max_connections: affordable_connections(server.max_connections.get(), config.database.max_connections.get()),
        shutdown_timeout: server.shutdown_timeout.get(),
        deadlines: DeadlineSettings { head: HEAD_TIMEOUT, idle: server.idle_timeout.get(), response: RESPONSE_TIMEOUT },
        tls,
    }
}

/// Loads the TLS certificate, if one is configured.
pub fn load_tls(config: &Config) -> Result<Option<Arc<Tls>>, TlsError> {
    let files = config.tls.certificate_file.clone().zip(config.tls.key_file.clone());
    let tls = files.map(|(certificate, key)| Tls::load(TlsFiles { certificate, key })).transpose()?;
    Ok(tls.map(Arc::new))
}

/// Limits the number of connections to the file descriptors that the process may open, minus those that it needs
/// itself.
fn affordable_connections(wanted: usize, database_connections: u32) -> usize {
    let Some(file_limit) = getrlimit(Resource::Nofile).current else { return wanted };

    let database_files = FILES_PER_DATABASE_CONNECTION.saturating_mul(u64::from(database_connections));
    let own_files = database_files.saturating_add(OWN_FILES);
    let affordable = usize::try_from(file_limit.saturating_sub(own_files)).unwrap_or(usize::MAX).max(1);

    if wanted > affordable {
        tracing::warn!(
            "accepting at most {affordable} connections at once, not {wanted} (server.max_connections, \
             VESTIBULE_SERVER__MAX_CONNECTIONS): the process may open {file_limit} files (ulimit -n) and needs \
             {own_files} of them itself; raise the limit of open files, or lower the setting"
        );
    }
    wanted.min(affordable)
}
