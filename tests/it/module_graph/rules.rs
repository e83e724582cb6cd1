//! The rules of the module graph: two tables to extend when a module is added, and the functions that apply them. Each
//! function returns one message for each violation.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::graph::{Edge, File, Tree};

/// The modules of each folder, highest first. A module may use only modules in lower rows. Modules in the same row must
/// not use each other.
pub(super) const ORDERS: [Order; 3] = [
    (
        "src",
        &[
            "cli",
            "startup",
            "config",
            "server",
            "api",
            "jobs",
            "domain",
            "store",
            "entity",
            // Leaves.
            "error",
            "clock",
            "ids",
            "secret",
            "secret_file",
            "json",
            "header_value",
            "metrics",
            "telemetry",
        ],
    ),
    (
        "src/api",
        &[
            "routes",
            "docs",
            "document",
            "apis",
            "account health login sessions well_known",
            "declaration",
            "extract",
            "problems",
            "schema",
        ],
    ),
    (
        "src/domain",
        &[
            "fuzzing", "admin", "auth", "user", "instance", "app", "token", "session", "password", "limits", "queue",
            "audit", "crypto", "name", "request",
        ],
    ),
];

/// The modules that may use HTTP types.
const HTTP: Where = Where::Only(&["startup", "server", "api"]);
/// The modules that may access the database.
const DATABASE: Where = Where::Only(&["domain", "store", "entity"]);
/// The same, and the leaf modules whose types are stored in columns.
const COLUMN_TYPES: Where = Where::Only(&["domain", "store", "entity", "clock", "ids", "secret"]);

/// Crates, modules and items, each with the modules below `src` that may or may not name it. `vestibule` is the library
/// itself. If several entries are a prefix of a path, the longest applies.
pub(super) const NAMES: [(&str, Where); 17] = [
    ("poem", HTTP),
    ("poem_openapi", HTTP),
    ("hyper", HTTP),
    ("http", HTTP),
    ("sea_orm", DATABASE),
    ("sea_orm::DbErr", COLUMN_TYPES),
    ("sea_orm::DeriveValueType", COLUMN_TYPES),
    ("sea_orm::TryFromU64", COLUMN_TYPES),
    ("sea_orm::sea_query", COLUMN_TYPES),
    ("sqlx", DATABASE),
    ("std::env", Where::Only(&["config"])),
    ("serde", Where::Except(&["entity"])),
    ("serde_json", Where::Except(&["entity"])),
    ("vestibule", Where::Except(&["migration"])),
    ("vestibule::api", Where::Only(&["cli", "startup", "server", "api"])),
    ("vestibule::entity", Where::Only(&["domain", "store", "entity"])),
    ("vestibule::telemetry", Where::Only(&["cli", "startup", "config", "server", "telemetry"])),
];

/// A folder and its modules, highest first.
pub(super) type Order = (&'static str, &'static [&'static str]);

/// The modules below `src` that may name something, or that may not.
pub(super) enum Where {
    Only(&'static [&'static str]),
    Except(&'static [&'static str]),
}

/// Returns the cycles between files, and then those that appear if the files of a folder are merged. For each strongly
/// connected group it returns only the shortest cycle.
pub(super) fn cycles(tree: &Tree) -> Vec<String> {
    let edges = tree.edges();
    let mut found = cycles_by(&edges, |file| Some(file.path.clone()));
    for folder in folders(tree) {
        let label = |file: &File| match below(&folder, &file.place) {
            None => (file.place == folder).then(|| file.path.clone()),
            Some(child) => {
                let child = join(&folder, child);
                let is_folder = tree.files.iter().any(|file| below(&child, &file.place).is_some());
                Some(if is_folder { format!("{child}/") } else { file.path.clone() })
            }
        };
        // A cycle without a folder was found between files already.
        let cycles = cycles_by(&edges, label);
        found.extend(cycles.into_iter().filter(|cycle| cycle.lines().next().is_some_and(|path| path.contains("/ "))));
    }
    found
}

/// Returns the edges that do not lead from a higher module to a lower one, and the modules that are missing from the
/// order.
pub(super) fn upward_dependencies(tree: &Tree, orders: &[Order]) -> Vec<String> {
    let mut found = Vec::new();
    for (folder, highest_first) in orders {
        let rank = |module: &str| highest_first.iter().position(|row| row.split(' ').any(|name| name == module));
        let modules: BTreeSet<_> = tree.files.iter().filter_map(|file| below(folder, &file.place)).collect();
        for module in modules.into_iter().filter(|module| rank(module).is_none()) {
            found.push(format!("{folder}/{module} is not in the order of modules: add it in rules.rs"));
        }
        for edge in tree.edges() {
            let (Some(from), Some(to)) = (below(folder, &edge.from.place), below(folder, &edge.to.place)) else {
                continue;
            };
            if from != to
                && let (Some(from_rank), Some(to_rank)) = (rank(from), rank(to))
                && from_rank >= to_rank
            {
                found.push(format!("{from} is not above {to}: {}", describe(&edge)));
            }
        }
    }
    found
}

/// Returns the names that are used where they are not allowed. If several entries are a prefix of a path, the longest
/// applies.
pub(super) fn forbidden_names(tree: &Tree, names: &[(&str, Where)]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for file in &tree.files {
        let area = file.place.strip_prefix("src/").unwrap_or(&file.place);
        let is_in = |areas: &[&str]| areas.iter().any(|area_of| area == *area_of || below(area_of, area).is_some());
        for (name, path) in tree.names(file) {
            let begins = |entry: &str| {
                let mut segments = path.iter();
                entry.split("::").all(|segment| segments.next().is_some_and(|next| next == segment))
            };
            let entries = names.iter().filter(|(entry, _)| begins(entry));
            let message = match entries.max_by_key(|(entry, _)| entry.split("::").count()) {
                Some((entry, Where::Only(areas))) if !is_in(areas) => {
                    format!("only {} may name {entry}", areas.join(", "))
                }
                Some((entry, Where::Except(areas))) if is_in(areas) => {
                    format!("{} may not name {entry}", areas.join(", "))
                }
                _ => continue,
            };
            found.insert((&file.path, name.line, message));
        }
    }
    found.into_iter().map(|(path, line, message)| format!("{path}:{line}: {message}")).collect()
}

/// Returns the cycles between the labels of the files. Files without a label are ignored.
fn cycles_by(edges: &[Edge<'_>], label: impl Fn(&File) -> Option<String>) -> Vec<String> {
    let mut graph: Graph<'_> = BTreeMap::new();
    for edge in edges {
        if let (Some(from), Some(to)) = (label(edge.from), label(edge.to))
            && from != to
        {
            graph.entry(from).or_default().entry(to).or_insert(edge);
        }
    }
    let mut found = Vec::new();
    while let Some(cycle) = graph.keys().filter_map(|node| shortest_path(&graph, node, node)).min_by_key(Vec::len) {
        let reaches = |from: &str, to: &str| shortest_path(&graph, from, to).is_some();
        let (start, _) = &cycle[0];
        let group = graph.keys().filter(|node| *node == start || (reaches(start, node) && reaches(node, start)));
        let group: Vec<_> = group.cloned().collect();
        let nodes: Vec<_> = cycle.iter().map(|(node, _)| node.as_str()).chain([start.as_str()]).collect();
        let mut lines = vec![nodes.join(" → ")];
        lines.extend(cycle.iter().map(|(_, edge)| describe(edge)));
        if group.len() > cycle.len() {
            let others = group.len() - cycle.len();
            lines.push(format!("({others} more depend on these and are depended on by them)"));
        }
        found.push(lines.join("\n    "));
        graph.retain(|node, _| !group.contains(node));
    }
    found
}

type Graph<'tree> = BTreeMap<String, BTreeMap<String, &'tree Edge<'tree>>>;

/// Returns the shortest path with at least one edge: each node with its outgoing edge.
fn shortest_path<'tree>(graph: &Graph<'tree>, from: &str, to: &str) -> Option<Vec<(String, &'tree Edge<'tree>)>> {
    let mut paths = VecDeque::from([(from, Vec::new())]);
    let mut seen = BTreeSet::new();
    while let Some((node, path)) = paths.pop_front() {
        for (next, edge) in graph.get(node).into_iter().flatten() {
            let path = [&path[..], &[(node.to_owned(), *edge)]].concat();
            if next == to {
                return Some(path);
            }
            if seen.insert(next) {
                paths.push_back((next, path));
            }
        }
    }
    None
}

fn describe(edge: &Edge<'_>) -> String {
    let Edge { from, to, line, text } = edge;
    format!("{}:{line} {text} ({})", from.path, to.path)
}

/// Returns every folder with modules in it, and the root of the repository.
fn folders(tree: &Tree) -> BTreeSet<String> {
    let ancestors = |place: &str| place.match_indices('/').map(|(end, _)| place[..end].to_owned()).collect::<Vec<_>>();
    let folders = tree.files.iter().flat_map(|file| ancestors(&file.place));
    folders.chain([String::new()]).collect()
}

fn join(folder: &str, child: &str) -> String {
    if folder.is_empty() { child.to_owned() } else { format!("{folder}/{child}") }
}

/// Returns the first segment of `place` relative to the folder, if it is inside the folder.
fn below<'place>(folder: &str, place: &'place str) -> Option<&'place str> {
    let rest = if folder.is_empty() { place } else { place.strip_prefix(folder)?.strip_prefix('/')? };
    rest.split('/').next()
}
