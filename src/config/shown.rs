//! How error messages show the value of a setting.

/// The maximum length of a value in a message, in bytes.
const MAX_BYTES: usize = 200;

/// Returns the reason why a value was rejected, after the value. Characters that a reader might overlook are named. The
/// value itself is left out if it is or may contain a secret.
pub(super) fn describe(text: &str, is_secret: bool, reason: &str) -> String {
    let notes = unusual_characters(text);
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
    if !(is_secret || may_contain_password(text)) {
        format!("{}{notes} {reason}", quote(text))
    } else if notes.is_empty() {
        reason.to_owned()
    } else {
        format!("the value{notes} {reason}")
    }
}

/// Returns whether a text looks like a URL with a user or a query, in which passwords are common.
fn may_contain_password(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| rest.contains(['@', '?']))
}

fn quote(text: &str) -> String {
    match text.split_at_checked(text.floor_char_boundary(MAX_BYTES)) {
        Some((start, rest)) if !rest.is_empty() => format!("{start:?}…"),
        _ => format!("{text:?}"),
    }
}

/// Names the quotation marks at both ends of a value, and its spaces, line breaks and invisible characters.
fn unusual_characters(text: &str) -> Vec<String> {
    let edge = |letter: Option<char>| letter.and_then(|letter| quotation_mark(letter).or_else(|| blank(letter)));
    let first = edge(text.chars().next());
    let last = edge(text.chars().next_back().filter(|_| text.chars().nth(1).is_some()));
    let mut inner = text.chars();
    inner.next();
    inner.next_back();

    let mut notes = Vec::new();
    notes.extend(first.map(|name| format!("begins with {name}")));
    notes.extend(last.map(|name| format!("ends with {name}")));
    let is_named = |name: &str| [first, last].contains(&Some(name));
    notes.extend(inner.find_map(blank).filter(|name| !is_named(name)).map(|name| format!("contains {name}")));
    notes
}

fn quotation_mark(letter: char) -> Option<&'static str> {
    matches!(letter, '"' | '\'' | '`' | '“' | '”' | '‘' | '’').then_some("a quotation mark")
}

fn blank(letter: char) -> Option<&'static str> {
    match letter {
        ' ' => Some("a space"),
        '\n' | '\r' => Some("a line break"),
        '\t' => Some("a tab"),
        '\u{a0}' | '\u{202f}' => Some("a non-breaking space"),
        '\u{feff}' => Some("a byte order mark"),
        '\u{200b}'..='\u{200f}' | '\u{2060}' => Some("an invisible character"),
        letter if letter.is_whitespace() => Some("an unusual space"),
        letter if letter.is_control() => Some("a control character"),
        _ => None,
    }
}
