//! The pages for people: README, SECURITY.md, the changelog and the guides in `docs`. Their links, their commands and
//! their tables are checked against the repository.

mod commands;
mod links;
mod markdown;
mod tables;

use std::{fs, path::Path};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// The longest README, in bytes. Longer texts belong to a guide.
const MAX_README_BYTES: usize = 12_000;

/// The pages outside `docs`.
const OTHER_PAGES: [&str; 8] = [
    "README.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "deploy/README.md",
    "tests/RESULTS.md",
    "tests/chaos/RESULTS.md",
    "tests/chaos/resilience-checks.md",
    "tests/it/security-checks.md",
];

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(file)).unwrap()
}

/// Returns the paths of all pages, from the root of the repository.
fn pages() -> Vec<String> {
    let guides = fs::read_dir(Path::new(ROOT).join("docs")).unwrap();
    let files = guides.map(|entry| entry.unwrap().path());
    let markdown = files.filter(|file| file.extension().is_some_and(|extension| extension == "md"));
    let guides = markdown.map(|file| format!("docs/{}", file.file_name().unwrap().display()));
    let mut pages: Vec<_> = OTHER_PAGES.map(ToOwned::to_owned).into_iter().chain(guides).collect();
    pages.sort_unstable();
    pages
}

#[apply(trial)]
async fn readme_is_short() {
    let bytes = read("README.md").len();
    assert!(bytes <= MAX_README_BYTES, "README.md has {bytes} bytes; move some of it to docs");
}

#[apply(trial)]
async fn readme_links_to_every_guide() {
    let readme = read("README.md");
    for page in pages().iter().filter(|page| page.starts_with("docs/")) {
        assert!(readme.contains(&format!("]({page})")), "README.md does not link to {page}");
    }
}
