//! The documentation: the OpenAPI document, and Swagger UI to display it.

use poem::{
    Response, Route,
    endpoint::make_sync,
    get,
    http::{HeaderValue, header},
};

use super::document::Document;

/// The content security policy: the page loads only its own files and calls only this service.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const JSON_PATH: &str = "/openapi.json";
const YAML_PATH: &str = "/openapi.yaml";

/// A file: its path, media type and content.
type File = (&'static str, &'static str, &'static [u8]);

/// The files of the page.
const PAGE: [File; 6] = [
    ("/docs", "text/html; charset=utf-8", include_bytes!("docs/index.html")),
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

/// Adds the documentation page and the document to `routes`.
pub(super) fn add_routes(routes: Route, document: &'static Document) -> Route {
    let documents = [
        (JSON_PATH, "application/json", document.json.as_bytes()),
        (YAML_PATH, "application/yaml; charset=utf-8", document.yaml.as_bytes()),
    ];
    PAGE.into_iter().chain(documents).fold(routes, add_file)
}

fn add_file(routes: Route, (path, media_type, content): File) -> Route {
    let respond = move |_| {
        Response::builder()
            .content_type(media_type)
            .header(header::CACHE_CONTROL, "no-cache")
            .header(header::CONTENT_SECURITY_POLICY, POLICY)
            .body(content)
    };
    routes.at(path, get(make_sync(respond)))
}

/// Returns every path of the documentation. Each supports only GET.
pub fn paths() -> impl Iterator<Item = &'static str> {
    PAGE.into_iter().map(|(path, ..)| path).chain([JSON_PATH, YAML_PATH])
}
