//! Fault injection: small trees that each break one rule, and a valid one.

use super::{
    graph::Tree,
    rules::{self, NAMES, ORDERS},
};

/// Builds a tree of files below `src`, which must have no problems of its own.
#[track_caller]
fn tree_of<const N: usize>(files: [(&str, &str); N]) -> Tree {
    let tree = Tree::read(&files.map(|(path, text)| (format!("src/{path}"), text.to_owned())).into());
    assert_eq!(tree.problems, [""; 0]);
    tree
}

/// Returns the cycles of a tree, without the imports that cause them.
fn cycles(tree: &Tree) -> Vec<String> {
    let found = rules::cycles(tree);
    found.iter().map(|cycle| cycle.lines().next().unwrap().to_owned()).collect()
}

#[apply(trial)]
async fn finds_a_cycle_of_two_files() {
    let tree = tree_of([
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "\nuse crate::b::{\n    Left,\n    Right,\n};\npub struct A;"),
        ("b.rs", "pub struct Left(super::a::A); pub struct Right;"),
    ]);
    assert_eq!(
        rules::cycles(&tree),
        ["src/a.rs → src/b.rs → src/a.rs\n    src/a.rs:3 names crate::b::Left (src/b.rs)\n    src/b.rs:1 names \
          super::a::A (src/a.rs)"]
    );
}

#[apply(trial)]
async fn finds_a_cycle_through_a_reexport() {
    let tree = tree_of([
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::C; pub struct A;"),
        ("b.rs", "pub use crate::c::C;"),
        ("c.rs", "pub struct C(crate::a::A);"),
    ]);
    assert_eq!(cycles(&tree), ["src/a.rs → src/b.rs → src/c.rs → src/a.rs"]);
}

#[apply(trial)]
async fn finds_a_cycle_that_exists_only_between_folders() {
    let tree = tree_of([
        ("lib.rs", "mod a; mod b;"),
        ("a/mod.rs", "mod one; mod two;"),
        ("a/one.rs", "use crate::b::one::One;"),
        ("a/two.rs", "pub struct Two;"),
        ("b/mod.rs", "pub mod one; mod two;"),
        ("b/one.rs", "pub struct One;"),
        ("b/two.rs", "use crate::a::two::Two;"),
    ]);
    assert_eq!(cycles(&tree), ["src/a/ → src/b/ → src/a/"]);
    let tree = tree_of([
        ("lib.rs", "mod deep;"),
        ("deep/mod.rs", "mod a; mod b;"),
        ("deep/a.rs", "mod one; mod two;"),
        ("deep/a/one.rs", "use crate::deep::b;"),
        ("deep/a/two.rs", "pub struct Two;"),
        ("deep/b.rs", "fn f(_: super::a::two::Two) {}"),
    ]);
    assert_eq!(cycles(&tree), ["src/deep/a/ → src/deep/b.rs → src/deep/a/"]);
}

#[apply(trial)]
async fn finds_a_child_that_names_its_ancestor() {
    for (import, text) in [
        ("a reexport", "pub mod one; pub mod two; pub use self::one::One;"),
        ("an item", "pub mod one; pub mod two; pub struct One;"),
    ] {
        for child in ["use super::One;", "use super::*;", "fn f(_: crate::a::One) {}", "f!(super::One);"] {
            let one = ("a/one.rs", "pub struct One;");
            let tree = tree_of([("lib.rs", "mod a;"), ("a/mod.rs", text), one, ("a/two.rs", child)]);
            assert_eq!(cycles(&tree), ["src/a/mod.rs → src/a/two.rs → src/a/mod.rs"], "{import}: {child}");
        }
    }
    let tree = tree_of([("lib.rs", "mod a; pub struct Top;"), ("a.rs", "use crate::Top;")]);
    assert_eq!(cycles(&tree), ["src/a.rs → src/lib.rs → src/a.rs"]);
    let tree = tree_of([("main.rs", "mod a; fn main() { a::run() }"), ("a.rs", "use crate::main;")]);
    assert_eq!(cycles(&tree), ["src/a.rs → src/main.rs → src/a.rs"]);
}

#[apply(trial)]
async fn reports_each_separate_cycle_once() {
    let tree = tree_of([
        ("lib.rs", "mod a; mod b; mod c; mod d; mod e;"),
        ("a.rs", "use crate::{b, c};"),
        ("b.rs", "use crate::a;"),
        ("c.rs", "use crate::{a, d};"),
        ("d.rs", "use crate::e;"),
        ("e.rs", "use crate::d;"),
    ]);
    assert_eq!(cycles(&tree), ["src/a.rs → src/b.rs → src/a.rs", "src/d.rs → src/e.rs → src/d.rs"]);
    assert!(rules::cycles(&tree)[0].ends_with("(1 more depend on these and are depended on by them)"));
}

#[apply(trial)]
async fn finds_an_upward_dependency_in_every_form() {
    for text in [
        "use crate::domain::user::User;",
        "use super::super::domain::user;",
        "pub use crate::domain::user::*;",
        "use crate::{clock, domain::{user::{self as people, User as _}}};",
        "use crate::domain as rules; fn f(_: rules::user::User) {}",
        "use crate as root; fn f() { root::domain::user::find() }",
        "fn f() { use crate::domain::*; user::find() }",
        "fn f() -> Vec<crate::domain::user::User> { vec![] }",
        "fn f() { <crate::domain::user::User as Default>::default(); }",
        "impl crate::domain::user::Named for Row {}",
        "fn f() { assert_eq!(1, { crate::domain::user::count(1) }); }",
        "macro_rules! find { ($name:ident) => { $crate::domain::user::find($name) } }",
        "macro_rules! find { () => { use crate::{clock as now, domain::{user::{User as _}}}; } }",
        "#[derive(crate::domain::user::Row)] struct Row;",
        "#[cfg(fuzzing)] mod fuzzing { use super::super::super::domain::user::User; }",
    ] {
        let tree = tree_of([
            ("lib.rs", "pub mod clock; pub mod domain; pub mod entity;"),
            ("clock.rs", ""),
            ("domain/mod.rs", "pub mod user;"),
            ("domain/user.rs", "pub struct User;"),
            ("entity/mod.rs", "mod user;"),
            ("entity/user.rs", text),
        ]);
        let found = rules::upward_dependencies(&tree, &ORDERS);
        let is_found = |found: &String| {
            found.starts_with("entity is not above domain: src/entity/user.rs:1 names ")
                && found.ends_with(" (src/domain/user.rs)")
        };
        assert!(found.iter().any(is_found), "{text}: {found:?}");
    }
}

#[apply(trial)]
async fn finds_an_upward_dependency_inside_a_folder() {
    let tree = tree_of([
        ("lib.rs", "pub mod domain;"),
        ("domain/mod.rs", "pub mod audit; pub mod limits; pub mod session;"),
        ("domain/audit.rs", ""),
        ("domain/limits/mod.rs", "mod backoff;"),
        ("domain/limits/backoff.rs", "use crate::domain::audit;\nuse super::super::session::Session;"),
        ("domain/session.rs", "use super::audit; pub struct Session;"),
    ]);
    assert_eq!(
        rules::upward_dependencies(&tree, &ORDERS),
        ["limits is not above session: src/domain/limits/backoff.rs:2 names super::super::session::Session \
          (src/domain/session.rs)"]
    );
}

#[apply(trial)]
async fn finds_an_upward_dependency_between_adjacent_modules() {
    let tree = tree_of([("lib.rs", "mod api; mod server;"), ("api.rs", "use crate::server;"), ("server.rs", "")]);
    let found = rules::upward_dependencies(&tree, &ORDERS);
    assert_eq!(found, ["api is not above server: src/api.rs:1 names crate::server (src/server.rs)"]);
}

#[apply(trial)]
async fn finds_a_module_that_is_missing_from_the_order() {
    let tree = tree_of([
        ("lib.rs", "mod domain; mod clock; mod helpers;"),
        ("clock.rs", ""),
        ("helpers.rs", ""),
        ("domain/mod.rs", "mod user; mod things;"),
        ("domain/user.rs", ""),
        ("domain/things/mod.rs", ""),
    ]);
    let found = rules::upward_dependencies(&tree, &ORDERS);
    assert_eq!(
        found,
        ["src/helpers", "src/domain/things"]
            .map(|path| format!("{path} is not in the order of modules: add it in rules.rs"))
    );
}

#[apply(trial)]
async fn finds_a_restricted_name_in_every_form() {
    for (file, text) in [
        ("domain.rs", "use poem::Response;"),
        ("domain.rs", "use {std::fmt, poem as web};"),
        ("domain.rs", "pub use ::poem::*;"),
        ("domain.rs", "extern crate poem;"),
        ("domain.rs", "fn f(_: &poem_openapi::payload::Json<u8>) {}"),
        ("domain.rs", "fn f() { let _ = [http::Method::GET]; }"),
        ("domain.rs", "fn f() { g!(1, [::hyper::body()]) }"),
        ("domain.rs", "macro_rules! f { ($a:ident) => { impl ::poem::Endpoint for $a {} } }"),
        ("domain.rs", "#[poem::async_trait] trait Anything {}"),
        ("domain.rs", "use std::env; fn f() { env::args(); }"),
        ("domain.rs", "use std as core; fn f() { core::env::args(); }"),
        ("domain.rs", "fn f() { std::env::var(\"HOME\"); }"),
        ("api.rs", "#[derive(Debug, sea_orm::DeriveValueType)] struct Id(u8);"),
        ("api.rs", "use crate::entity::user;"),
        ("api.rs", "use crate::*; fn f() { entity::find() }"),
        ("clock.rs", "use sea_orm::{DbErr, EntityTrait};"),
        ("clock.rs", "use sea_orm::*;"),
        ("entity.rs", "#[derive(Clone, serde::Serialize)] struct Row;"),
        ("entity.rs", "use serde::{Serialize as _};"),
    ] {
        let mut files = ["api.rs", "clock.rs", "domain.rs", "entity.rs"].map(|path| (path, ""));
        files.iter_mut().find(|(path, _)| *path == file).unwrap().1 = text;
        let [api, clock, domain, entity] = files;
        let tree = tree_of([("lib.rs", "mod api; mod clock; mod domain; mod entity;"), api, clock, domain, entity]);
        let found = rules::forbidden_names(&tree, &NAMES);
        assert!(!found.is_empty(), "{text}");
        assert!(found.iter().all(|found| found.starts_with(&format!("src/{file}:1: "))), "{text}: {found:?}");
    }
    let tree =
        tree_of([("lib.rs", "mod entity;"), ("entity.rs", "use sqlx::Row;\nuse poem::Route;\nuse serde::Serialize;")]);
    assert_eq!(
        rules::forbidden_names(&tree, &NAMES),
        ["src/entity.rs:2: only startup, server, api may name poem", "src/entity.rs:3: entity may not name serde"]
    );
    let tree = tree_of([("lib.rs", ""), ("main.rs", "mod cli;"), ("cli.rs", "\nuse vestibule::entity::user;")]);
    let found = rules::forbidden_names(&tree, &NAMES);
    assert_eq!(found, ["src/cli.rs:2: only domain, store, entity may name vestibule::entity"]);
}

#[apply(trial)]
async fn finds_the_library_named_by_the_migrations() {
    let tree = Tree::from([
        ("migration/src/lib.rs", "mod first;"),
        ("migration/src/first.rs", "fn up() { create(vestibule::clock::NAME) }"),
    ]);
    assert_eq!(rules::forbidden_names(&tree, &NAMES), ["migration/src/first.rs:1: migration may not name vestibule"]);
}

#[apply(trial)]
async fn finds_a_file_that_no_module_declares() {
    let tree = Tree::from([("src/lib.rs", "mod a;"), ("src/b.rs", ""), ("src/main.rs", "fn main() {")]);
    let [missing, unparsed, unused] = &tree.problems[..] else { panic!("{:?}", tree.problems) };
    assert_eq!(missing, "src/lib.rs declares a, which has no file");
    assert!(unparsed.starts_with("src/main.rs cannot be parsed: "));
    assert_eq!(unused, "no module declares src/b.rs");
}

#[apply(trial)]
async fn accepts_a_valid_tree() {
    let tree = tree_of([
        (
            "lib.rs",
            "//! Names poem::Route.\npub mod clock; pub mod api; pub mod domain; pub mod entity; pub mod config;",
        ),
        ("main.rs", "mod cli; fn main() { cli::run() }"),
        ("cli/mod.rs", "mod user; use vestibule::{api, domain::user::{self, User}}; pub fn run() { user::show() }"),
        ("cli/user.rs", "use vestibule::domain::user::User;"),
        ("api.rs", "use poem::{Route, http}; use crate::domain::user; fn f() { user::find(env!(\"HOME\")) }"),
        ("clock.rs", "use sea_orm::DeriveValueType; #[derive(DeriveValueType)] pub struct Timestamp(i64);"),
        ("config.rs", "use std::env; fn f() { env::var(\"HOME\"); env::args(); }"),
        ("domain/mod.rs", "pub mod request; pub mod user; pub use self::user::User; #[cfg(test)] mod tests;"),
        ("domain/request.rs", "pub(in crate::domain) struct Client; pub(super) struct Agent; use config::Config;"),
        (
            "domain/user.rs",
            "// use poem::Route;\n/* crate::api */ /// [`crate::api`]\n#[doc = \"hyper::Body\"] #[serde(with = \"x\")]\n\
             fn f(poem: u8) { use super::request::Client; info!(\"sea_orm::x {poem} crate::api::x\"); poem.http(); }\n\
             mod inner { use super::*; use super::super::request; use crate::entity::user::Row; }\n\
             #[cfg(test)] mod tests { use crate::api; }",
        ),
        ("entity/mod.rs", "pub mod user;"),
        ("entity/user.rs", "use crate::clock::Timestamp; use sea_orm::entity::prelude::*; pub struct Row;"),
    ]);
    assert_eq!(rules::cycles(&tree), [""; 0]);
    assert_eq!(rules::upward_dependencies(&tree, &ORDERS), [""; 0]);
    assert_eq!(rules::forbidden_names(&tree, &NAMES), [""; 0]);
}
