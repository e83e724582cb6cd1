//! Rules of the repository that a reader relies on, checked against the sources.

use std::{
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

use crate::support::contract::operations;

crate::trials![
    modules_name_only_what_they_may,
    every_file_says_what_it_is,
    files_stay_short,
    import_rule_catches_a_breach,
    readme_names_every_setting_and_operation
];

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Files longer than this are split by topic.
const MAX_LINES: usize = 600;

/// For each layer, the names that must not occur in it.
const FORBIDDEN: [(&str, &str); 8] = [
    ("api", r"\b(sea_orm|crate::(entity|config)|entity::|config::)"),
    ("domain", r"\b(poem|poem_openapi|hyper|http)::|crate::(api|config|server)|std::env|env::"),
    ("entity", r"\b(poem|poem_openapi|serde|serde_json)::|crate::(api|config|domain|server|startup)|Serialize"),
    ("ids.rs", r"\b(poem|poem_openapi)::|crate::(api|config|domain|entity|server)"),
    ("secret.rs", r"\b(poem|poem_openapi)::|crate::(api|config|domain|entity|server)"),
    ("clock.rs", r"\b(poem|poem_openapi)::|crate::(api|config|domain|entity|server)"),
    ("config.rs", r"\b(poem|poem_openapi)::|crate::(api|entity|server)"),
    ("telemetry.rs", r"\b(poem|poem_openapi)::|crate::(api|entity|server)"),
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

/// The lines of code, without comments, in which a forbidden name occurs.
fn breaches(text: &str, forbidden: &str) -> Vec<String> {
    let forbidden = Regex::new(forbidden).unwrap();
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.filter(|line| forbidden.is_match(line)).map(ToOwned::to_owned).collect()
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
    let text = "use crate::entity::user;\nuse sea_orm::EntityTrait;\n// sea_orm::Select is named in a comment\n";
    assert_eq!(breaches(text, FORBIDDEN[0].1).len(), 2);
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

async fn readme_names_every_setting_and_operation() {
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let source = fs::read_to_string(Path::new(ROOT).join("src/config.rs")).unwrap();
    let section = Regex::new(r"(?s)/// `\[(\w+)\]`\n.*?pub struct \w+ \{(.*?)\n\}").unwrap();
    let field = Regex::new(r"pub (\w+):").unwrap();
    let mut settings = 0;
    for found in section.captures_iter(&source) {
        for name in field.captures_iter(&found[2]) {
            let variable = format!("`VESTIBULE_{}__{}`", found[1].to_uppercase(), name[1].to_uppercase());
            assert!(readme.contains(&variable), "{variable} is not in the README");
            settings += 1;
        }
    }
    assert_eq!(readme.matches("| `VESTIBULE_").count(), settings);
    for (_, method, path, ..) in operations() {
        assert!(readme.contains(&format!("| `{method} {path}` |")), "{method} {path} is not in the README");
    }
}
