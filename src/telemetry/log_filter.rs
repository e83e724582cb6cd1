//! The filter of the log: its directives, checked so that a misspelled level cannot turn the log off.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{EnvFilter, filter::Directive};

/// Words that people write for a level, and the level.
const OTHER_NAMES: [(&str, &str); 12] = [
    ("warning", "warn"),
    ("warnings", "warn"),
    ("err", "error"),
    ("errors", "error"),
    ("fatal", "error"),
    ("critical", "error"),
    ("information", "info"),
    ("notice", "info"),
    ("default", "info"),
    ("verbose", "debug"),
    ("all", "trace"),
    ("none", "off"),
];

/// Why a text is not a filter. The message continues a sentence that begins with the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLogFilter {
    /// A word without `=` that is not a level. The library would take it for the name of a module, and log nothing
    /// else.
    #[error("contains {word:?}, which is not a level; write {suggestion}")]
    UnknownWord {
        /// The word.
        word: String,
        /// What to write instead.
        suggestion: String,
    },
    /// A directive whose level does not exist.
    #[error("contains the unknown level {level:?}; write {suggestion}")]
    UnknownLevel {
        /// The level.
        level: String,
        /// What to write instead.
        suggestion: String,
    },
    /// Any other malformed directive.
    #[error("contains the invalid directive {0:?}; write a level, or directives such as info,vestibule=debug")]
    Malformed(String),
    /// A filter with no directive at all, such as a comma.
    #[error("contains no directive; write a level, or directives such as info,vestibule=debug")]
    Empty,
}

/// The directives of a log filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter {
    text: String,
    directives: Vec<Directive>,
}

impl LogFilter {
    /// Parses a level, or directives with commas between them.
    ///
    /// # Errors
    /// Returns an [`InvalidLogFilter`] that says what to write instead.
    pub fn parse(text: &str) -> Result<Self, InvalidLogFilter> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let directives = parts.map(parse_directive).collect::<Result<Vec<_>, _>>()?;
        if directives.is_empty() {
            return Err(InvalidLogFilter::Empty);
        }
        Ok(Self { text: text.to_owned(), directives })
    }

    /// Returns the directives as they were written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the filter of these directives, after others that they override.
    pub(super) fn after(&self, earlier: impl IntoIterator<Item = Directive>) -> EnvFilter {
        let directives = earlier.into_iter().chain(self.directives.iter().cloned());
        directives.fold(EnvFilter::default(), EnvFilter::add_directive)
    }
}

fn parse_directive(text: &str) -> Result<Directive, InvalidLogFilter> {
    // A directive for spans, such as `vestibule[request]=debug`, may contain an equals sign in its brackets.
    let after_brackets = text.rsplit_once(']').map_or(text, |(_, rest)| rest);
    let before_brackets = text.split_once('[').map_or(text, |(target, _)| target);
    if before_brackets.contains(char::is_whitespace) {
        return Err(InvalidLogFilter::Malformed(text.to_owned()));
    }
    match after_brackets.rsplit_once('=') {
        None if text.contains('[') => {}
        None if is_level(text) => {}
        None => {
            return Err(InvalidLogFilter::UnknownWord {
                word: text.to_owned(),
                suggestion: suggest_level(text)
                    .map_or_else(|| format!("{text}=debug for a module, or a level such as info"), ToOwned::to_owned),
            });
        }
        Some((_, level)) if is_level(level) => {}
        Some((_, level)) => {
            return Err(InvalidLogFilter::UnknownLevel {
                level: level.to_owned(),
                suggestion: suggest_level(level)
                    .map_or_else(|| "trace, debug, info, warn, error or off".to_owned(), ToOwned::to_owned),
            });
        }
    }
    text.parse().map_err(|_| InvalidLogFilter::Malformed(text.to_owned()))
}

fn is_level(word: &str) -> bool {
    word.parse::<LevelFilter>().is_ok() && !word.is_empty()
}

fn suggest_level(word: &str) -> Option<&'static str> {
    OTHER_NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, level)| *level)
}
