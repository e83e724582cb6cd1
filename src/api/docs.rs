//! The documentation: the OpenAPI document, and Swagger UI to display it. Also the front page, which leads there.

use hyper::body::Bytes;
use poem::{
    IntoResponse as _, Response, Route,
    endpoint::make_sync,
    get,
    http::{HeaderValue, header},
    web::Redirect,
};
use serde_json::json;

use super::{document::ServedDocument, extract::BasePath};

/// The content security policy: the page loads only its own files and calls only this service.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The path of the page.
const PAGE_PATH: &str = "/docs";
const JSON_PATH: &str = "/openapi.json";
const YAML_PATH: &str = "/openapi.yaml";

/// A file: its path, media type and content.
type File = (&'static str, &'static str, &'static [u8]);

/// The files of the page.
const PAGE: [File; 6] = [
    (PAGE_PATH, "text/html; charset=utf-8", include_bytes!("docs/index.html")),
    ("/docs/init.js", "text/javascript; charset=utf-8", include_bytes!("docs/init.js")),
    ("/docs/page.css", "text/css; charset=utf-8", include_bytes!("docs/page.css")),
    ("/docs/favicon.svg", "image/svg+xml", include_bytes!("docs/favicon.svg")),
    ("/docs/swagger-ui.css", "text/css; charset=utf-8", include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css"))),
    (
        "/docs/swagger-ui-bundle.js",
        "text/javascript; charset=utf-8",
        include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js")),
    ),
];

/// The path of the front page.
pub(super) const ROOT_PATH: &str = "/";

/// The page with a trailing slash, which redirects to the page.
const SLASH_PATH: &str = "/docs/";

/// Returns the front page without the documentation: the name and version of the service.
pub(super) fn name_and_version() -> Response {
    let body = json!({ "name": "Vestibule", "version": env!("CARGO_PKG_VERSION") });
    Response::builder().content_type("application/json").body(body.to_string())
}

/// Returns the front page with the documentation: a redirect to its page. Below a path, the redirect must name it: from
/// `/auth`, the relative URL `docs` would lead to `/docs`. Without one, the relative URL also works behind a proxy that
/// adds a path that the public URL does not mention.
pub(super) fn redirect_to_docs(base_path: &BasePath) -> Response {
    redirect(if base_path.is_empty() { "docs".to_owned() } else { base_path.join(PAGE_PATH) })
}

fn redirect(target: String) -> Response {
    Redirect::temporary(target).into_response()
}

/// Adds the documentation page and the document to `routes`.
pub(super) fn add_routes(routes: Route, document: ServedDocument) -> Route {
    let routes = routes.at(SLASH_PATH, get(make_sync(|_| redirect("../docs".to_owned()))));
    let documents = [
        (JSON_PATH, "application/json", Bytes::from(document.json)),
        (YAML_PATH, "application/yaml; charset=utf-8", Bytes::from(document.yaml)),
    ];
    let page = PAGE.into_iter().map(|(path, media_type, content)| (path, media_type, Bytes::from_static(content)));
    page.chain(documents).fold(routes, |routes, (path, media_type, content)| {
        routes.at(path, get(make_sync(move |_| file_response(media_type, content.clone()))))
    })
}

fn file_response(media_type: &str, content: Bytes) -> Response {
    Response::builder()
        .content_type(media_type)
        .header(header::CACHE_CONTROL, "no-cache")
        .header(header::CONTENT_SECURITY_POLICY, POLICY)
        .body(content)
}

/// Returns the paths that are not operations: those of the documentation if `with_docs` is set, otherwise the front
/// page. Each path supports only GET.
pub fn paths(with_docs: bool) -> Vec<&'static str> {
    if !with_docs {
        return vec![ROOT_PATH];
    }
    PAGE.into_iter().map(|(path, ..)| path).chain([JSON_PATH, YAML_PATH, SLASH_PATH, ROOT_PATH]).collect()
}
