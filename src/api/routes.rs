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
    document::{Document, DocumentError},
    extract::BasePath,
};
use crate::domain::instance::Instance;

/// The settings of the API.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// The URL at which clients reach the service, without a trailing slash.
    pub public_url: String,
    /// The path of the public URL, without a trailing slash. Empty if it has none.
    pub base_path: String,
    /// Whether the documentation is served.
    pub docs: bool,
}

/// Returns the routes of every operation, of the front page and of the documentation.
///
/// # Errors
/// Returns a [`DocumentError`] if the document cannot be served.
pub fn routes(
    instance: Arc<Instance>,
    document: &'static Document,
    settings: &ApiSettings,
) -> Result<BoxEndpoint<'static>, DocumentError> {
    let base_path = BasePath(settings.base_path.as_str().into());
    let mut routes = Route::new().nest("/", service(Apis::default()));
    let front_page = if settings.docs {
        routes = docs::add_routes(routes, document.with_server(&settings.public_url)?);
        let base_path = base_path.clone();
        get(make_sync(move |_| docs::redirect_to_docs(&base_path)))
    } else {
        get(make_sync(|_| docs::name_and_version()))
    };
    let front_page = Arc::new(front_page);
    let endpoint = routes
        .around(move |routes, request| {
            let front_page = Arc::clone(&front_page);
            async move {
                // A route of its own would never match: the nested operations take every path that begins with `/`.
                let is_front_page = request.uri().path() == docs::ROOT_PATH;
                if is_front_page { front_page.call(request).await } else { routes.call(request).await }
            }
        })
        .data(instance)
        .data(base_path)
        .data(&document.request_validators)
        .map_to_response()
        .boxed();
    Ok(endpoint)
}
