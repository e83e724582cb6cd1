//! Header values that contain quoted strings (RFC 9110 section 5.6.4).

/// Splits a text at each separator outside quoted strings. Returns `None` if a quoted string is not closed.
pub fn split_outside_quotes(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut is_quoted, mut is_escaped) = (false, false);

    let is_separator = |letter| {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ => return letter == separator && !is_quoted,
        }
        false
    };
    let parts = text.split(is_separator).collect();

    (!is_quoted).then_some(parts)
}

/// Returns a token, or the content of a quoted string. Returns `None` for a quoted string with an escape, which no
/// value that the service reads needs.
pub fn unquote(value: &str) -> Option<&str> {
    let content = match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => value,
    };
    (!content.contains(['"', '\\'])).then_some(content)
}
