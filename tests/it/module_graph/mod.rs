//! The module graph of the sources: no cycles, no upward dependencies, and restricted names only where they are
//! allowed.
//!
//! A node is a source file; `mod.rs`, `lib.rs` and `main.rs` stand for their folders. A file depends on every file
//! whose module it names, in an import, inline or in the tokens of a macro, and on every module that it declares. A
//! path leads to the deepest module on it. So a module that names an item or a re-export of one of its ancestors
//! creates a cycle. It must name the module that defines the item instead.
//!
//! Two tables at the top of `rules.rs` define the order of the modules and the restricted names.

pub(crate) mod fault_injection;
mod graph;
mod parse;
mod rules;

use std::{collections::BTreeMap, fs, path::Path};

pub(crate) use self::parse::Source;
use self::{
    graph::Tree,
    rules::{NAMES, ORDERS, cycles, forbidden_names, upward_dependencies},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Returns the sources of the library, the binary and the migrations.
fn sources() -> Tree {
    let mut texts = BTreeMap::new();
    for folder in ["src", "migration/src"] {
        read_folder(&Path::new(ROOT).join(folder), &mut texts);
    }
    Tree::read(&texts)
}

fn read_folder(folder: &Path, texts: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_folder(&path, texts);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(ROOT).unwrap().to_str().unwrap();
            texts.insert(name.to_owned(), fs::read_to_string(&path).unwrap());
        }
    }
}

#[track_caller]
fn assert_none(found: &[String]) {
    assert!(found.is_empty(), "{} found:\n{}", found.len(), found.join("\n"));
}

#[apply(trial)]
async fn modules_have_no_dependency_cycles() {
    assert_none(&cycles(&sources()));
}

#[apply(trial)]
async fn modules_use_only_lower_modules() {
    assert_none(&upward_dependencies(&sources(), &ORDERS));
}

#[apply(trial)]
async fn restricted_names_are_used_only_where_allowed() {
    assert_none(&forbidden_names(&sources(), &NAMES));
}

#[apply(trial)]
async fn every_source_file_belongs_to_a_crate() {
    assert_none(&sources().problems);
}
