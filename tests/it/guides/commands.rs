//! Commands in the pages: the suite `readme` runs each block, or the line before the block says why not.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    markdown::{Block, Page},
    pages, read,
};

/// The mark of a block that is not run. It does not show when the page is rendered.
static MARK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^ *<!-- not run: [^ ].* -->$").unwrap());
/// The pages whose commands the suite runs.
static RUN_PAGES: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?m)^pages=\(([^)]*)\)$").unwrap());

/// Returns the pages whose commands a script runs.
fn run_pages(script: &str) -> Vec<String> {
    let list = RUN_PAGES.captures(script).unwrap();
    list[1].split_whitespace().map(ToOwned::to_owned).collect()
}

/// Returns the faults of the commands in a page.
fn faults(page: &str, text: &str, run: &[String]) -> Vec<String> {
    let parsed = Page::parse(text);
    let blocks = parsed.blocks.iter().filter_map(|block| {
        let fault = fault(block, run.iter().any(|name| name == page))?;
        Some(format!("{page}:{}: {fault}", block.line))
    });
    let stray = parsed.prose.iter().filter(|(number, line)| {
        line.contains("<!-- not run") && !parsed.blocks.iter().any(|block| block.line == number + 1 && is_marked(block))
    });
    blocks
        .chain(stray.map(|(number, _)| format!("{page}:{number}: this mark needs a reason, and a block below it")))
        .collect()
}

fn is_marked(block: &Block<'_>) -> bool {
    MARK.is_match(block.before)
}

/// Returns the fault of a block, in a page that the suite runs or does not run.
fn fault(block: &Block<'_>, is_run: bool) -> Option<&'static str> {
    let has_commands = block.lines.iter().any(|line| line.trim_start().starts_with("$ "));
    match block.language {
        "console" | "sh" if is_marked(block) => None,
        "console" if !is_run => Some("add the page to tests/readme/run, or mark the block: <!-- not run: REASON -->"),
        "console" if !block.lines.first().is_some_and(|line| line.starts_with("$ ")) => {
            Some("a console block begins with a command, after `$ `")
        }
        "console" => None,
        "sh" => Some("use a console block, which is run, or mark the block: <!-- not run: REASON -->"),
        "bash" | "shell" | "zsh" | "shell-session" | "terminal" => Some("call it sh or console"),
        _ if has_commands => Some("a block with commands is a console block"),
        _ => None,
    }
}

#[apply(trial)]
async fn every_command_is_run_or_says_why_not() {
    let run = run_pages(&read("tests/readme/run"));
    assert!(run.len() > 1, "the list of pages is found");
    let faults: Vec<_> = pages().iter().flat_map(|page| faults(page, &read(page), &run)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[apply(trial)]
async fn planted_commands_that_nothing_runs_are_found() {
    let run = ["README.md".to_owned()];
    let found = |page: &str, text: &str| faults(page, text, &run).join("\n");
    let mark = "<!-- not run: needs nginx -->\n";

    assert_eq!(found("README.md", "```console\n$ true\n```\n"), "");
    assert_eq!(found("docs/other.md", &format!("{mark}```console\n$ true\n```\n")), "");
    assert_eq!(found("docs/other.md", &format!("1. One\n\n   {mark}   ```sh\n   true\n   ```\n")), "");
    assert_eq!(found("README.md", "````markdown\n```sh\ntrue\n```\n````\n"), "", "an example of a block");

    assert!(found("docs/other.md", "```console\n$ true\n```\n").contains("docs/other.md:1: add the page"));
    assert!(found("README.md", "```sh\ntrue\n```\n").contains("use a console block"));
    assert!(found("README.md", "```bash\ntrue\n```\n").contains("call it sh or console"));
    assert!(found("README.md", "```console\ntrue\n```\n").contains("begins with a command"));
    assert!(found("README.md", "```text\n$ true\n```\n").contains("is a console block"));
    assert!(found("README.md", "```\n$ true\n```\n").contains("is a console block"));
    assert!(found("README.md", &format!("{mark}\n```sh\ntrue\n```\n")).contains("README.md:1: this mark"), "a gap");
    assert!(found("README.md", "<!-- not run:  -->\n```sh\ntrue\n```\n").contains("needs a reason"));
}
