//! Rules of the repository that a reader relies on, checked against the sources.

use std::{
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

use crate::support::contract::{Walked, operations};

crate::trials![
    modules_name_only_what_they_may,
    every_file_says_what_it_is,
    files_stay_short,
    import_rule_catches_a_breach,
    readme_names_every_operation,
    sql_is_written_in_one_file_s111,
    secrets_are_compared_in_constant_time_s14,
];

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Files longer than this are split by topic.
const MAX_LINES: usize = 600;

/// For each layer, the names that must not occur in it.
const FORBIDDEN: [(&str, &str); 10] = [
    ("api", r"\bsea_orm\b|crate::(entity|config|server|startup)\b"),
    ("domain", r"\b(poem|poem_openapi|hyper|http)::|crate::(api|config|server|startup|telemetry)\b|std::env|\benv::"),
    ("entity", r"\b(poem|poem_openapi|serde|serde_json)::|crate::(api|config|domain|server|startup)|Serialize"),
    ("jobs.rs", r"\b(poem|poem_openapi|sea_orm)::|crate::(api|config|entity|server|startup)\b"),
    ("ids.rs", r"\b(poem|poem_openapi)::|crate::(api|config|domain|entity|server)"),
    ("secret.rs", r"\b(poem|poem_openapi)::|crate::(api|config|domain|entity|server)"),
    ("clock.rs", r"\b(poem|poem_openapi)::|crate::(api|config|domain|entity|server)"),
    ("json.rs", r"\b(poem|poem_openapi|sea_orm)::|crate::"),
    ("config", r"\b(poem|poem_openapi)::|crate::(api|entity|server)"),
    ("telemetry.rs", r"\b(poem|poem_openapi)::|crate::"),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    if folder.is_file() {
        return vec![folder.to_owned()];
    }
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = entries.flat_map(|path| sources(&path)).collect();
    files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

fn all_sources() -> Vec<PathBuf> {
    ["src", "migration/src", "tests"].iter().flat_map(|folder| sources(&Path::new(ROOT).join(folder))).collect()
}

/// The places of the code, without comments and with every import written out, in which a forbidden name occurs.
fn breaches(text: &str, forbidden: &str) -> Vec<String> {
    let forbidden = Regex::new(forbidden).unwrap();
    let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let statement = Regex::new(r"(?s)\buse ([^;]+);").unwrap();
    let code = code.join("\n");
    let imports = statement.captures_iter(&code).flat_map(|found| paths(&found[1].replace(char::is_whitespace, "")));
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("use ")).map(ToOwned::to_owned);
    imports.chain(lines).filter(|place| forbidden.is_match(place)).collect()
}

/// The paths of an import: `a::{b, c::{d, e}}` names `a::b`, `a::c::d` and `a::c::e`.
fn paths(import: &str) -> Vec<String> {
    let Some((prefix, rest)) = import.split_once('{') else { return vec![import.to_owned()] };
    let inner = rest.strip_suffix('}').unwrap_or(rest);
    let (mut depth, mut part, mut parts) = (0, String::new(), Vec::new());
    for letter in inner.chars() {
        match letter {
            ',' if depth == 0 => parts.push(std::mem::take(&mut part)),
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if letter != ',' || depth > 0 {
            part.push(letter);
        }
    }
    parts.push(part);
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    parts.flat_map(|part| paths(&part)).map(|path| format!("{prefix}{path}")).collect()
}

async fn modules_name_only_what_they_may() {
    for (layer, forbidden) in FORBIDDEN {
        let files = sources(&Path::new(ROOT).join("src").join(layer));
        assert!(!files.is_empty(), "{layer}");
        for file in files {
            let found = breaches(&fs::read_to_string(&file).unwrap(), forbidden);
            assert!(found.is_empty(), "{}: {found:?}", file.display());
        }
    }
    let migration = sources(&Path::new(ROOT).join("migration/src"));
    assert!(migration.iter().all(|file| !fs::read_to_string(file).unwrap().contains("vestibule::")));
}

async fn import_rule_catches_a_breach() {
    for (layer, breach) in [
        ("api", "use crate::{\n    domain::login,\n    entity::user,\n};"),
        ("api", "use sea_orm::EntityTrait;"),
        ("domain", "use crate::{clock::Clock, config::Config};"),
        ("domain", "use crate::{\n    ids,\n    startup::{self, StartError},\n};"),
        ("domain", "    let home = std::env::var(\"HOME\");"),
        ("entity", "use crate::{\n    domain::{account::Account, name},\n    ids::UserId,\n};"),
        ("entity", "use serde::Serialize;"),
        ("jobs.rs", "use crate::{domain::App, entity::session};"),
        ("ids.rs", "use crate::{clock, entity::user};"),
        ("secret.rs", "use poem_openapi::types::Type;"),
        ("clock.rs", "use crate::config::Config;"),
        ("json.rs", "use crate::api::problem::Problem;"),
        ("config", "use crate::{api::problem, domain::name};"),
        ("telemetry.rs", "use crate::config::Config;"),
    ] {
        let (_, forbidden) = FORBIDDEN.iter().find(|(name, _)| *name == layer).unwrap();
        assert!(!breaches(breach, forbidden).is_empty(), "{layer}: {breach}");
    }
    assert!(breaches("// sea_orm::Select is named in a comment\n", FORBIDDEN[0].1).is_empty());
}

/// Ways to hand the database text that is not built from parameters.
const RAW_SQL: &str = r#"execute_unprepared|Statement::from_|from_string\(|from_sql_and_values|AssertSqlSafe|sqlx::query|_raw\(|Expr::cust|(format!|concat!|push_str)\s*\(\s*r?#*"(?i:\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|PRAGMA|SET|WITH|REPLACE)\s)"#;
/// The one file that may, because what it says to the database has no part that a client sends; and the one that passes
/// on what the entities have built.
const SQL_FILES: [&str; 2] = ["src/domain/database.rs", "src/domain/pool.rs"];

async fn sql_is_written_in_one_file_s111() {
    for file in ["src", "migration/src"].iter().flat_map(|folder| sources(&Path::new(ROOT).join(folder))) {
        let found = breaches(&fs::read_to_string(&file).unwrap(), RAW_SQL);
        assert_eq!(!found.is_empty(), SQL_FILES.iter().any(|may| file.ends_with(may)), "{}: {found:?}", file.display());
    }
    for planted in [
        "    db.execute_unprepared(&text).await?;",
        "    let rows = db.query_all_raw(statement).await?;",
        "    Statement::from_sql_and_values(backend, text, [])",
        "    let text = format!(\"SELECT * FROM user WHERE username = '{name}'\");",
        "    let text = format!(\"delete from session where id = {id}\");",
        "    .filter(Expr::cust(text))",
        "    sqlx::query(&text).execute(&pool)",
    ] {
        assert!(!breaches(planted, RAW_SQL).is_empty(), "{planted}");
    }
    assert!(breaches("    format!(\"{name} was not selected\")", RAW_SQL).is_empty());
}

/// A comparison with `==` of what is secret, which takes longer the more of it was guessed.
const EARLY_END: &str =
    r"(\.expose\(\)|\b(mac|tag|digest|secret|token)(\(\))?) *[=!]= |[=!]= *[&*]?\w+(\.\w+)*\.expose\(\)";

async fn secrets_are_compared_in_constant_time_s14() {
    for file in sources(&Path::new(ROOT).join("src")) {
        let found = breaches(&fs::read_to_string(&file).unwrap(), EARLY_END);
        assert!(found.is_empty(), "{}: {found:?}", file.display());
    }
    for planted in
        ["    if presented.expose() == stored {", "    mac == expected", "    if given != self.key.expose() {"]
    {
        assert!(!breaches(planted, EARLY_END).is_empty(), "{planted}");
    }
    // Rows are compared in tests; nothing else that is secret can be compared by mistake.
    let secrets = fs::read_to_string(Path::new(ROOT).join("src/secret.rs")).unwrap();
    let comparable = Regex::new(r"#\[derive\([^)]*PartialEq[^)]*\)\]\npub struct (\w+)").unwrap();
    let comparable: Vec<_> = comparable.captures_iter(&secrets).map(|found| found[1].to_owned()).collect();
    assert_eq!(comparable, ["PasswordHash", "SecretDigest"]);
}

async fn every_file_says_what_it_is() {
    for file in all_sources() {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{} has no header", file.display());
    }
}

async fn files_stay_short() {
    for file in all_sources() {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines", file.display());
    }
}

async fn readme_names_every_operation() {
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    for Walked { method, path, .. } in operations() {
        assert!(readme.contains(&format!("| `{method} {path}` |")), "{method} {path} is not in the README");
    }
}
