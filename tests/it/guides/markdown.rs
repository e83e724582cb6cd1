//! The parts of Markdown that the checks need: fenced code blocks, headings and links.

use std::{collections::BTreeMap, sync::LazyLock};

use regex::Regex;

/// The opening line of a fenced code block: its indentation, its fence and its language.
static FENCE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^ *(`{3,}|~{3,}) *([^ `]*)[^`]*$").unwrap());
static HEADING: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^#{1,6} +(.+?)(?: +#+)? *$").unwrap());
static LINK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"\]\(([^)\s]+)(?: +"[^"]*")?\)"#).unwrap());
static DEFINITION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^ *\[[^\]]+\]: *(\S+)").unwrap());
static INLINE_CODE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"`[^`]*`").unwrap());

/// A fenced code block.
pub(super) struct Block<'a> {
    /// The number of its opening line, from 1.
    pub(super) line: usize,
    pub(super) language: &'a str,
    /// The line before it; empty if there is none.
    pub(super) before: &'a str,
    pub(super) lines: Vec<&'a str>,
}

/// A page, taken apart.
#[derive(Default)]
pub(super) struct Page<'a> {
    pub(super) blocks: Vec<Block<'a>>,
    /// The lines outside of blocks, each with its number.
    pub(super) prose: Vec<(usize, &'a str)>,
}

impl<'a> Page<'a> {
    /// Parses a page. A block that is never closed reaches to the end of the page.
    pub(super) fn parse(text: &'a str) -> Self {
        let mut page = Self::default();
        let mut before = "";
        let mut fence: Option<&str> = None;

        for (number, line) in (1..).zip(text.lines()) {
            match (fence, FENCE.captures(line)) {
                (Some(open), _) if line.trim().starts_with(open) && line.trim().trim_start_matches(open).is_empty() => {
                    fence = None;
                }
                (Some(_), _) => page.blocks.last_mut().unwrap().lines.push(line),
                (None, Some(opening)) => {
                    fence = Some(opening.get(1).unwrap().as_str());
                    let language = opening.get(2).unwrap().as_str();
                    page.blocks.push(Block { line: number, language, before, lines: Vec::new() });
                }
                (None, None) => page.prose.push((number, line)),
            }
            before = line;
        }
        page
    }

    /// Returns the anchors of the headings, as GitHub makes them.
    pub(super) fn anchors(&self) -> Vec<String> {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let headings = self.prose.iter().filter_map(|(_, line)| HEADING.captures(line));
        let anchors = headings.map(|heading| {
            let slug = slug(&heading[1]);
            let count = seen.entry(slug.clone()).and_modify(|count| *count += 1).or_insert(0);
            if *count == 0 { slug } else { format!("{slug}-{count}") }
        });
        anchors.collect()
    }

    /// Returns the targets of the links, each with the number of its line.
    pub(super) fn links(&self) -> Vec<(usize, String)> {
        let links = self.prose.iter().flat_map(|(number, line)| {
            let line = INLINE_CODE.replace_all(line, "``");
            let inline = LINK.captures_iter(&line).map(|link| link[1].to_owned());
            let targets: Vec<_> = inline.chain(DEFINITION.captures(&line).map(|link| link[1].to_owned())).collect();
            targets.into_iter().map(move |target| (*number, target))
        });
        links.collect()
    }
}

/// Returns the anchor of a heading: its letters and digits in lower case, with hyphens for spaces.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|character| character.is_alphanumeric() || [' ', '-', '_'].contains(character));
    kept.flat_map(char::to_lowercase).map(|character| if character == ' ' { '-' } else { character }).collect()
}
