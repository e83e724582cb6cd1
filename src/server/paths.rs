//! The paths that there are: what each of them takes, and what that is called.

use poem::http::{HeaderValue, Method};

use crate::api::{docs, document::Document};

/// What requests for the documentation are called.
const DOCS: &str = "docs";
/// What requests for nothing that there is are called.
const NONE: &str = "none";

/// A path of the document, in which `{name}` stands for one segment, with the operation of each method.
#[derive(Debug)]
struct Path {
    pattern: String,
    operations: Vec<(Method, String)>,
}

/// All paths.
#[derive(Debug)]
pub(super) struct Paths(Vec<Path>);

impl Paths {
    /// Those of the document and of the documentation.
    pub(super) fn new(document: &Document) -> Self {
        let docs = docs::paths().map(|path| (path.to_owned(), vec![(Method::GET, DOCS.to_owned())]));
        let paths = document.paths().into_iter().chain(docs);
        Self(paths.map(|(pattern, operations)| Path { pattern, operations }).collect())
    }

    fn find(&self, path: &str) -> Option<&Path> {
        self.0.iter().find(|known| matches(&known.pattern, path))
    }

    /// The `operationId` of what a request asks for; one of a few other words where it is no operation.
    pub(super) fn operation(&self, method: &Method, path: &str) -> &str {
        let operations = self.find(path).map_or(&[][..], |known| &known.operations);
        let asked = if method == Method::HEAD { &Method::GET } else { method };
        operations.iter().find(|(method, _)| method == asked).map_or(NONE, |(_, name)| name)
    }

    /// The value of `Allow` for a path: the methods that it has, and HEAD wherever there is GET.
    pub(super) fn allow(&self, path: &str) -> Option<HeaderValue> {
        let mut names = self.find(path)?.operations.iter().map(|(method, _)| method.as_str()).collect::<Vec<_>>();
        if names.contains(&Method::GET.as_str()) {
            names.push(Method::HEAD.as_str());
        }
        names.sort_unstable();
        HeaderValue::from_str(&names.join(", ")).ok()
    }
}

/// Whether a path fits a pattern.
fn matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    let fits = pattern.split('/').all(|expected| {
        segments.next().is_some_and(|segment| {
            let open = expected.starts_with('{') && expected.ends_with('}');
            if open { !segment.is_empty() } else { segment == expected }
        })
    });
    fits && segments.next().is_none()
}
