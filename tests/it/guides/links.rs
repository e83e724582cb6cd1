//! Links between the pages: each leads to a file of the repository and, if it has an anchor, to a heading in it.

use std::{fs, path::Path};

use super::{ROOT, markdown::Page, pages, read};

/// Returns the faults of the links in a page.
fn faults(page: &str, text: &str) -> Vec<String> {
    let parsed = Page::parse(text);
    let links = parsed.links();
    let found =
        links.iter().filter_map(|(line, target)| Some(format!("{page}:{line}: {}", fault(page, text, target)?)));
    found.collect()
}

/// Returns why a link leads nowhere. Links to other hosts are not checked.
fn fault(page: &str, text: &str, target: &str) -> Option<String> {
    if ["https://", "http://"].iter().any(|scheme| target.starts_with(scheme)) {
        return None;
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));

    let folder = Path::new(ROOT).join(page).parent().unwrap().to_owned();
    let file = if path.is_empty() {
        None
    } else {
        let Ok(file) = folder.join(path).canonicalize() else {
            return Some(format!("{target}: there is no such file"));
        };
        let inside = file.strip_prefix(Path::new(ROOT).canonicalize().unwrap()).ok().map(Path::to_owned);
        if path.starts_with('/')
            || inside.is_none_or(|inside| inside.starts_with("target") || inside.starts_with(".git"))
        {
            return Some(format!("{target}: this is no file of the repository; use a relative path"));
        }
        Some(file)
    };
    let anchor = anchor?;
    let linked = match file {
        None => text.to_owned(),
        Some(file) if file.extension().is_some_and(|extension| extension == "md") => fs::read_to_string(file).unwrap(),
        // Other files have no headings.
        Some(_) => String::new(),
    };
    let exists = Page::parse(&linked).anchors().iter().any(|heading| heading == anchor);
    (!exists).then(|| format!("{target}: there is no such heading"))
}

#[apply(trial)]
async fn every_link_leads_somewhere() {
    let faults: Vec<_> = pages().iter().flat_map(|page| faults(page, &read(page))).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let links: usize = pages().iter().map(|page| Page::parse(&read(page)).links().len()).sum();
    assert!(links > 50, "the links are found: {links}");
}

#[apply(trial)]
async fn planted_broken_links_are_found() {
    for (planted, found) in [
        ("See [it](docs/gone.md).", "docs/gone.md: there is no such file"),
        ("[a](docs/api.md) and [b](docs/api.md#gone)", "docs/api.md#gone: there is no such heading"),
        ("[a](#gone)", "#gone: there is no such heading"),
        ("[a](src/lib.rs#gone)", "src/lib.rs#gone: there is no such heading"),
        ("[a](/etc/passwd)", "this is no file of the repository"),
        ("[a](../)", "this is no file of the repository"),
        ("[a]: docs/gone.md", "docs/gone.md: there is no such file"),
        ("```text\n# Heading\n```\n\n[a](#heading)", "#heading: there is no such heading"),
        ("![logo](logo.png)", "logo.png: there is no such file"),
    ] {
        let faults = faults("README.md", planted);
        assert!(faults.len() == 1 && faults[0].contains(found), "{planted}: {faults:?}");
    }
    let fine = "# A heading: with `code`, twice\n\n# A heading: with `code`, twice\n\n[a](#a-heading-with-code-twice-1) \
                [b](docs/api.md#problem-codes) [c](deploy) [d](https://gone.example) `[e](gone.md)`\n\n    ```sh\n    \
                [f](gone.md)\n    ```\n";
    assert_eq!(faults("README.md", fine), Vec::<String>::new());
    assert_eq!(faults("docs/api.md", "[a](../README.md#a-tour) [b](clients.md)"), Vec::<String>::new());
}
