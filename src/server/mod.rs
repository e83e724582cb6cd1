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
    Response,
    endpoint::{BoxEndpoint, DynEndpoint},
};

pub use self::connections::{ServerSettings, Shutdown, bind, serve};
pub use self::edge::{Edge, EdgeSettings};
pub use self::scrape::metrics;
pub use self::tls::{Tls, TlsError, TlsFiles};
pub use self::watch::Deadlines;
use crate::{api::document::Document, metrics::Metrics};

/// The most bytes of a head that are read at all: above the edge's own limits, so that what those refuse is answered
/// with a problem.
const MAX_HEAD_BYTES: u16 = u16::MAX;

/// What answers every request: `routes` behind the edge.
#[must_use]
pub fn endpoint(
    routes: BoxEndpoint<'static>,
    document: &Document,
    settings: EdgeSettings,
    metrics: &Arc<Metrics>,
) -> Arc<dyn DynEndpoint<Output = Response>> {
    Arc::new(poem::endpoint::ToDynEndpoint(Edge::new(routes, document, settings, Arc::clone(metrics))))
}
