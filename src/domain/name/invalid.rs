//! Why a text cannot be a username.

use std::fmt;

use super::alphabet::{Alphabet, MAX_LENGTH};

/// Why a text cannot be a username. The message completes a sentence that begins with the field or the username.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// The text is empty.
    #[error("must have at least 1 character")]
    Empty,
    /// The text has more than [`MAX_LENGTH`] characters.
    #[error("must have at most {MAX_LENGTH} characters")]
    TooLong,
    /// The text begins or ends with white space, which keyboards and copies add.
    #[error("begins or ends with a space; remove it")]
    SpaceAround,
    /// A character that no username contains.
    #[error("contains {}, which is not allowed; use letters and digits, and single \".\", \"_\" or \"-\" between them", Shown(*.0))]
    Character(char),
    /// A separator that does not stand between two letters or digits.
    #[error("contains \"{0}\" in the wrong place; it must stand alone between two letters or digits")]
    Separator(char),
    /// Letters of two alphabets.
    #[error("mixes {0} and {1} letters; use the letters of one alphabet")]
    MixedAlphabets(Alphabet, Alphabet),
    /// A combining mark without a letter before it, or after too many others.
    #[error("contains the combining mark {}, which follows no letter or too many other marks; remove it", Shown(*.0))]
    Mark(char),
    /// A letter and marks that do not form one of the letters of usernames.
    #[error("contains a letter and marks that do not form an allowed letter; use another letter")]
    Combination,
}

/// A character for messages: its name or itself, if it is visible, and its code point.
struct Shown(char);

impl fmt::Display for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(character) = *self;
        let code_point = format!("U+{:04X}", u32::from(character));
        let is_visible = matches!(character, '"' | '\'' | '\\') || character.escape_debug().eq([character]);
        match character {
            ' ' => write!(formatter, "a space ({code_point})"),
            _ if is_visible && !character.is_whitespace() => write!(formatter, "\"{character}\" ({code_point})"),
            _ => formatter.write_str(&code_point),
        }
    }
}
