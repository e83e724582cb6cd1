//! The module graph: a node for each source file, and an edge for each file that another one names or declares.

use std::collections::BTreeMap;

use super::parse::{Name, Role, Source};

/// The crates: the name that paths begin with, and the root file. The binary has no name.
const CRATES: [(&str, &str); 3] =
    [("vestibule", "src/lib.rs"), ("(binary)", "src/main.rs"), ("migration", "migration/src/lib.rs")];

/// The parsed and linked sources of a repository.
#[derive(Default)]
pub(super) struct Tree {
    pub(super) files: Vec<File>,
    /// Problems with the sources themselves.
    pub(super) problems: Vec<String>,
    /// The index of the file that holds each module, by the module's path including the crate.
    modules: BTreeMap<Vec<String>, usize>,
}

/// A node: one source file.
pub(super) struct File {
    /// The path in the repository, such as `src/domain/audit/mod.rs`.
    pub(super) path: String,
    /// The path of the folder that belongs to the module, such as `src/domain/audit`.
    pub(super) place: String,
    /// The path of the module, such as `["vestibule", "domain", "audit"]`.
    module: Vec<String>,
    source: Source,
}

/// An edge: the file `from` names the file `to`, or declares it as a module.
pub(super) struct Edge<'tree> {
    pub(super) from: &'tree File,
    pub(super) to: &'tree File,
    pub(super) line: usize,
    /// What the file does there: `names crate::ids::UserId` or `declares ids`.
    pub(super) text: String,
}

impl<const N: usize> From<[(&str, &str); N]> for Tree {
    /// Builds a tree from the paths and texts of its files.
    fn from(files: [(&str, &str); N]) -> Self {
        Self::read(&files.map(|(path, text)| (path.to_owned(), text.to_owned())).into())
    }
}

impl Tree {
    /// Parses the files that the crate roots reach through their `mod` declarations.
    pub(super) fn read(texts: &BTreeMap<String, String>) -> Self {
        let mut tree = Self::default();
        for (name, root) in CRATES {
            if texts.contains_key(root) {
                let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
                tree.load(texts, root, folder, vec![name.to_owned()]);
            }
        }
        for path in texts.keys().filter(|path| !tree.files.iter().any(|file| file.path == **path)) {
            tree.problems.push(format!("no module declares {path}"));
        }
        tree
    }

    /// Adds a file and, through its declarations, the files of its child modules.
    fn load(&mut self, texts: &BTreeMap<String, String>, path: &str, place: &str, module: Vec<String>) {
        let source = Source::parse(&texts[path]).unwrap_or_else(|error| {
            self.problems.push(format!("{path} cannot be parsed: {error}"));
            Source::default()
        });
        let index = self.files.len();
        let below = |inner: &[String]| [&module[..], inner].concat();
        self.modules.insert(module.clone(), index);
        self.modules.extend(source.inline_modules.iter().map(|inner| (below(inner), index)));
        let children = source.declarations.iter().map(|child| (child.module.join("/"), below(&child.module)));
        let children: Vec<_> = children.collect();
        self.files.push(File { path: path.to_owned(), place: place.to_owned(), module, source });
        for (child, module) in children {
            let place = format!("{place}/{child}");
            let candidates = [format!("{place}.rs"), format!("{place}/mod.rs")];
            match candidates.iter().find(|candidate| texts.contains_key(*candidate)) {
                Some(file) => self.load(texts, file, &place, module),
                None => self.problems.push(format!("{path} declares {child}, which has no file")),
            }
        }
    }

    /// Returns the edges, at most one for each pair of files: the first path that names the file, or else its
    /// declaration.
    pub(super) fn edges(&self) -> Vec<Edge<'_>> {
        let mut edges = BTreeMap::new();
        for (index, file) in self.files.iter().enumerate() {
            for (name, target) in self.names(file) {
                if let Some(to) = self.file_of(&target) {
                    edges
                        .entry((index, to))
                        .or_insert_with(|| (name.line, format!("names {}", name.segments.join("::"))));
                }
            }
            for child in &file.source.declarations {
                if let Some(to) = self.file_of(&[&file.module[..], &child.module].concat()) {
                    edges
                        .entry((index, to))
                        .or_insert_with(|| (child.line, format!("declares {}", child.module.join("::"))));
                }
            }
        }
        edges.retain(|(from, to), _| from != to);
        let edge = |((from, to), (line, text))| Edge { from: &self.files[from], to: &self.files[to], line, text };
        edges.into_iter().map(edge).collect()
    }

    /// Returns every path that a file names, with the full path including the crate.
    pub(super) fn names<'tree>(&'tree self, file: &'tree File) -> impl Iterator<Item = (&'tree Name, Vec<String>)> {
        let names = file.source.names.iter();
        names.flat_map(|name| {
            self.resolve(file, &name.module, &name.segments, 0).into_iter().map(move |path| (name, path))
        })
    }

    /// Returns the file of the deepest module on a full path.
    fn file_of(&self, path: &[String]) -> Option<usize> {
        (1..=path.len()).rev().find_map(|length| self.modules.get(&path[..length]).copied())
    }

    /// Returns the full paths that a path may refer to. Follows the imports of the file, including renamed ones.
    fn resolve(&self, file: &File, inner: &[String], path: &[String], depth: usize) -> Vec<Vec<String>> {
        /// More than the longest chain of imports. It ends the search if a name is imported from itself.
        const MAX_DEPTH: usize = 8;
        let mut here = [&file.module[..], inner].concat();
        let Some((first, rest)) = path.split_first() else { return vec![here] };
        match first.as_str() {
            "" => return vec![rest.to_vec()],
            "crate" => return vec![[&file.module[..1], rest].concat()],
            "self" | "super" => {
                let end = path.iter().position(|segment| segment != "self" && segment != "super");
                let (up, down) = path.split_at(end.unwrap_or(path.len()));
                let levels = up.iter().filter(|segment| *segment == "super").count();
                here.truncate(here.len().saturating_sub(levels));
                return vec![[&here[..], down].concat()];
            }
            _ => {}
        }
        let child = [&here[..], path].concat();
        if self.modules.contains_key(&child[..=here.len()]) {
            return vec![child];
        }
        let imports = |role: &Role| match role {
            Role::Import(binding) => binding.as_ref() == Some(first),
            Role::Glob | Role::Use => false,
        };
        let scope = || file.source.names.iter().filter(|name| name.module == inner && depth < MAX_DEPTH);
        let imported = scope().filter(|name| imports(&name.role) && name.segments != path);
        let imported = imported.flat_map(|name| self.resolve(file, inner, &name.segments, depth + 1));
        let imported: Vec<_> = imported.map(|target| [&target[..], rest].concat()).collect();
        if !imported.is_empty() {
            return imported;
        }
        let globs = scope().filter(|name| name.role == Role::Glob && name.segments.first() != Some(first));
        let globs = globs.flat_map(|name| self.resolve(file, inner, &name.segments, depth + 1));
        let globs = globs.map(|target| [&target[..], path].concat());
        let brought = globs.filter(|target| self.modules.contains_key(&target[..=target.len() - path.len()]));
        let brought: Vec<_> = brought.collect();
        if brought.is_empty() { vec![path.to_vec()] } else { brought }
    }
}
