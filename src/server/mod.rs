//! HTTP plumbing: routes, the edge around them, the accept loop.

mod connections;
mod cors;
mod edge;
mod forwarded;
mod framing;
#[cfg(fuzzing)]
pub mod fuzzing;
mod paths;
mod scrape;
mod seldom;
mod tls;
mod trace_context;
mod watch;

use std::sync::Arc;

use poem::{
    EndpointExt as _, Response, Route,
    endpoint::{BoxEndpoint, DynEndpoint},
};
use poem_openapi::OpenApiService;

pub use self::connections::{ServerSettings, Shutdown, bind, serve};
pub use self::edge::{Edge, EdgeSettings};
pub use self::scrape::metrics;
pub use self::tls::{Tls, TlsError, TlsFiles};
pub use self::watch::Deadlines;
use crate::{api, domain::instance::Instance, metrics::Metrics};

/// The most bytes of a head that are read at all: above the edge's own limits, so that what those refuse is answered
/// with a problem.
const MAX_HEAD_BYTES: u16 = u16::MAX;

/// The operations of the document, and the documentation where `docs` says so.
#[must_use]
pub fn routes(service: Arc<Instance>, docs: bool) -> BoxEndpoint<'static> {
    let operations = OpenApiService::new(api::apis(), "Vestibule", env!("CARGO_PKG_VERSION"));
    let routes = Route::new().nest("/", operations);
    let routes = if docs { api::docs::add_to(routes) } else { routes };
    routes.data(service).map_to_response().boxed()
}

/// What answers every request: `routes` behind the edge.
#[must_use]
pub fn endpoint(
    routes: BoxEndpoint<'static>,
    settings: EdgeSettings,
    metrics: &Arc<Metrics>,
) -> Arc<dyn DynEndpoint<Output = Response>> {
    Arc::new(poem::endpoint::ToDynEndpoint(Edge::new(routes, settings, Arc::clone(metrics))))
}
