//! What is counted and measured, for Prometheus, on a listener of its own.

use std::sync::Arc;

use poem::{
    EndpointExt as _, Response, Route,
    endpoint::{DynEndpoint, ToDynEndpoint, make_sync},
    get,
    http::header,
};

use crate::{domain::instance::Instance, metrics::MEDIA_TYPE};

/// Answers `GET /metrics`, and nothing else.
#[must_use]
pub fn metrics(service: Arc<Instance>) -> Arc<dyn DynEndpoint<Output = Response>> {
    let answer = move |_| {
        Response::builder()
            .content_type(MEDIA_TYPE)
            .header(header::CACHE_CONTROL, "no-store")
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .body(service.render_metrics())
    };
    Arc::new(ToDynEndpoint(Route::new().at("/metrics", get(make_sync(answer))).map_to_response().after(whole)))
}

/// A path or a method that there is not is an answer, not an error that ends the connection.
async fn whole(outcome: poem::Result<Response>) -> poem::Result<Response> {
    Ok(outcome.unwrap_or_else(poem::Error::into_response))
}
