//! The route table: names the operation of a request, and lists the methods of a path.

use poem::http::{HeaderValue, Method};

/// A path of the service with its operations.
#[derive(Debug)]
pub struct Route {
    /// The path template, in which `{name}` stands for one segment.
    pub template: String,
    /// The methods of the path, each with the name of its operation.
    pub operations: Vec<(Method, String)>,
    /// Whether web pages of any origin may read the responses.
    pub any_origin: bool,
}

/// All routes of the service.
#[derive(Debug)]
pub struct RouteTable {
    routes: Vec<Route>,
    /// The path of the public URL, without a trailing slash. Empty if it has none.
    base_path: String,
}

impl RouteTable {
    /// Creates the table from its routes. Each also answers below `base_path`, because some proxies keep the path of
    /// the public URL and others remove it.
    pub const fn new(routes: Vec<Route>, base_path: String) -> Self {
        Self { routes, base_path }
    }

    /// Returns the route that a path matches.
    pub(super) fn find(&self, path: &str) -> Option<&Route> {
        self.routes.iter().find(|route| matches_template(&route.template, path))
    }

    /// Returns the path without the base path. A path that begins with the base path but is one of the routes itself
    /// stays as it is.
    pub(super) fn remove_base_path<'a>(&self, path: &'a str) -> &'a str {
        match path.strip_prefix(&self.base_path) {
            Some("") if !self.base_path.is_empty() && self.find(path).is_none() => "/",
            Some(rest) if rest.starts_with('/') && self.find(path).is_none() => rest,
            _ => path,
        }
    }
}

impl Route {
    /// Returns the name of the operation of a method. HEAD is served wherever GET is.
    pub(super) fn operation(&self, method: &Method) -> Option<&str> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.operations.iter().find(|(known, _)| known == method).map(|(_, name)| name.as_str())
    }

    /// Returns the value of the `Allow` header: the methods of the path, in alphabetical order.
    pub(super) fn allowed_methods(&self) -> Option<HeaderValue> {
        let mut names = self.operations.iter().map(|(method, _)| method.as_str()).collect::<Vec<_>>();
        if names.contains(&Method::GET.as_str()) {
            names.push(Method::HEAD.as_str());
        }
        names.sort_unstable();
        HeaderValue::from_str(&names.join(", ")).ok()
    }
}

/// Returns whether a path matches a template, segment by segment.
fn matches_template(template: &str, path: &str) -> bool {
    let mut segments = path.split('/');

    let all_match = template.split('/').all(|expected| {
        let is_parameter = expected.starts_with('{') && expected.ends_with('}');
        segments.next().is_some_and(|segment| if is_parameter { !segment.is_empty() } else { segment == expected })
    });

    all_match && segments.next().is_none()
}
