//! The routes of the API.

use std::sync::Arc;

use poem::{
    Endpoint as _, EndpointExt as _, Route,
    endpoint::{BoxEndpoint, make_sync},
    get,
};

use super::{
    apis::{Apis, service},
    docs,
    document::Document,
};
use crate::domain::instance::Instance;

/// Returns the routes of every operation, of the front page and, if `with_docs` is set, of the documentation.
pub fn routes(instance: Arc<Instance>, document: &'static Document, with_docs: bool) -> BoxEndpoint<'static> {
    let mut routes = Route::new().nest("/", service(Apis::default()));
    if with_docs {
        routes = docs::add_routes(routes, document);
    }
    let front_page = Arc::new(get(make_sync(move |_| docs::front_page(with_docs))));
    routes
        .around(move |routes, request| {
            let front_page = Arc::clone(&front_page);
            async move {
                // A route of its own would never match: the nested operations take every path that begins with `/`.
                let is_front_page = request.uri().path() == docs::ROOT_PATH;
                if is_front_page { front_page.call(request).await } else { routes.call(request).await }
            }
        })
        .data(instance)
        .data(&document.request_validators)
        .map_to_response()
        .boxed()
}
