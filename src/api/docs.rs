//! The documentation: the document itself, and Swagger UI over it.

use poem::{
    Response, Route,
    endpoint::make_sync,
    get,
    http::{HeaderValue, header},
};

use super::document::document;

/// What the page may load and do: its own files and the service, nothing else.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Path, media type and content of every file.
type File = (&'static str, &'static str, &'static [u8]);

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

fn files() -> impl Iterator<Item = File> {
    let document = document();
    let spellings = [
        ("/openapi.json", "application/json", document.json.as_bytes()),
        ("/openapi.yaml", "application/yaml; charset=utf-8", document.yaml.as_bytes()),
    ];
    PAGE.into_iter().chain(spellings)
}

/// Adds `/docs`, `/openapi.json` and `/openapi.yaml`.
#[must_use]
pub fn add_to(routes: Route) -> Route {
    files().fold(routes, |routes, (path, media_type, content)| {
        let answer = move |_| {
            Response::builder()
                .content_type(media_type)
                .header(header::CACHE_CONTROL, "no-cache")
                .header(header::CONTENT_SECURITY_POLICY, POLICY)
                .body(content)
        };
        routes.at(path, get(make_sync(answer)))
    })
}

/// Every path here; each takes GET.
pub fn paths() -> impl Iterator<Item = &'static str> {
    files().map(|(path, ..)| path)
}
