//! The endpoint for Prometheus, which has its own listener.

use std::sync::Arc;

use poem::{
    EndpointExt as _, Response, Route,
    endpoint::{ToDynEndpoint, make_sync},
    get,
    http::header,
};

use super::connection::SharedEndpoint;
use crate::metrics::MEDIA_TYPE;

/// Creates an endpoint that serves only `GET /metrics`, with the text that `render` returns.
pub fn metrics_endpoint(render: impl Fn() -> String + Send + Sync + 'static) -> SharedEndpoint {
    let respond = move |_| {
        Response::builder()
            .content_type(MEDIA_TYPE)
            .header(header::CACHE_CONTROL, "no-store")
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .body(render())
    };
    let routes = Route::new().at("/metrics", get(make_sync(respond)));
    Arc::new(ToDynEndpoint(routes.map_to_response().after(recover)))
}

/// Converts the router's errors (404 and 405) into responses.
async fn recover(outcome: poem::Result<Response>) -> poem::Result<Response> {
    Ok(outcome.unwrap_or_else(poem::Error::into_response))
}
