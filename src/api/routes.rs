//! The routes of the API.

use std::sync::Arc;

use poem::{EndpointExt as _, Route, endpoint::BoxEndpoint};

use super::{
    apis::{Apis, service},
    docs,
    document::Document,
};
use crate::domain::instance::Instance;

/// Returns the routes of every operation and, if `with_docs` is set, of the documentation.
pub fn routes(instance: Arc<Instance>, document: &'static Document, with_docs: bool) -> BoxEndpoint<'static> {
    let mut routes = Route::new().nest("/", service(Apis::default()));
    if with_docs {
        routes = docs::add_routes(routes, document);
    }
    routes.data(instance).data(&document.request_validators).map_to_response().boxed()
}
