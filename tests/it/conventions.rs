//! Repository conventions, checked against the sources.

use std::{
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

use crate::module_graph::Source;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Longer files must be split by topic.
const MAX_LINES: usize = 450;

pub(crate) fn sources(folder: &Path) -> Vec<PathBuf> {
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

/// Returns the lines of code, without comments, that match the pattern.
fn matching_lines(text: &str, forbidden: &str) -> Vec<String> {
    let forbidden = Regex::new(forbidden).unwrap();
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.filter(|line| forbidden.is_match(line)).map(ToOwned::to_owned).collect()
}

/// Ways to pass the database text that is not built from parameters.
const RAW_SQL: &str = r#"execute_unprepared|Statement::from_|from_string\(|from_sql_and_values|AssertSqlSafe|sqlx::query|(execute|query_one|query_all|stream)_raw\(|Expr::cust|(format!|concat!|push_str)\s*\(\s*r?#*"(?i:\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|PRAGMA|SET|WITH|REPLACE)\s)"#;
/// The only files that may do so: one sends text without any client input, and the other executes what the entities
/// have built.
const SQL_FILES: [&str; 2] = ["src/store/pool.rs", "src/store/sql.rs"];

/// Returns the imported paths of a file, one per line: `use a::{b, c}` imports `a::b` and `a::c`.
fn imports(text: &str) -> String {
    Source::parse(text).unwrap().imports().collect::<Vec<_>>().join("\n")
}

#[apply(trial)]
async fn raw_sql_is_written_only_in_the_store_s111() {
    for file in ["src", "migration/src"].iter().flat_map(|folder| sources(&Path::new(ROOT).join(folder))) {
        let text = fs::read_to_string(&file).unwrap();
        let found = [matching_lines(&text, RAW_SQL), matching_lines(&imports(&text), RAW_SQL)].concat();
        assert_eq!(!found.is_empty(), SQL_FILES.iter().any(|may| file.ends_with(may)), "{}: {found:?}", file.display());
    }
    for injected in [
        "    db.execute_unprepared(&text).await?;",
        "    let rows = db.query_all_raw(statement).await?;",
        "    Statement::from_sql_and_values(backend, text, [])",
        "    let text = format!(\"SELECT * FROM user WHERE username = '{name}'\");",
        "    let text = format!(\"delete from session where id = {id}\");",
        "    .filter(Expr::cust(text))",
        "    sqlx::query(&text).execute(&pool)",
    ] {
        assert!(!matching_lines(injected, RAW_SQL).is_empty(), "{injected}");
    }
    assert!(!matching_lines(&imports("use sqlx::{\n    Row,\n    query,\n};"), RAW_SQL).is_empty());
    assert!(matching_lines("    format!(\"{name} was not selected\")", RAW_SQL).is_empty());
}

/// Comparisons of secrets with `==`, whose time depends on how many leading bytes match.
const SECRET_COMPARISON: &str =
    r"(\.expose\(\)|\b(mac|tag|digest|secret|token)(\(\))?) *[=!]= |[=!]= *[&*]?\w+(\.\w+)*\.expose\(\)";

#[apply(trial)]
async fn secrets_are_compared_in_constant_time_s14() {
    for file in sources(&Path::new(ROOT).join("src")) {
        let found = matching_lines(&fs::read_to_string(&file).unwrap(), SECRET_COMPARISON);
        assert!(found.is_empty(), "{}: {found:?}", file.display());
    }
    for injected in
        ["    if presented.expose() == stored {", "    mac == expected", "    if given != self.key.expose() {"]
    {
        assert!(!matching_lines(injected, SECRET_COMPARISON).is_empty(), "{injected}");
    }
    // Tests compare rows. No other secret can be compared by mistake.
    let secrets = fs::read_to_string(Path::new(ROOT).join("src/secret.rs")).unwrap();
    let comparable = Regex::new(r"#\[derive\([^)]*PartialEq[^)]*\)\]\npub struct (\w+)").unwrap();
    let comparable: Vec<_> = comparable.captures_iter(&secrets).map(|found| found[1].to_owned()).collect();
    assert_eq!(comparable, ["PasswordHash", "SecretDigest"]);
}

#[apply(trial)]
async fn every_file_has_a_doc_comment() {
    for file in all_sources() {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{} has no file-level documentation", file.display());
    }
}

#[apply(trial)]
async fn files_stay_short() {
    for file in all_sources() {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines", file.display());
    }
}

/// Cargo.toml turns unit tests off, so one would never run.
#[apply(trial)]
async fn no_test_is_outside_the_suite() {
    const UNIT_TEST: &str = r"#\[(cfg\(test\)|(\w+::)?test\])";
    for file in ["src", "migration/src"].iter().flat_map(|folder| sources(&Path::new(ROOT).join(folder))) {
        let found = matching_lines(&fs::read_to_string(&file).unwrap(), UNIT_TEST);
        assert!(found.is_empty(), "{}: move this test to tests/it: {found:?}", file.display());
    }
    for injected in ["#[cfg(test)]", "    #[test]", "    #[tokio::test]"] {
        assert_eq!(matching_lines(injected, UNIT_TEST).len(), 1, "{injected}");
    }
}
