//! Usernames: the pattern of usernames that can be registered, and their canonical form.

mod alphabet;
mod invalid;

use precis_core::profile::PrecisFastInvocation as _;
use precis_profiles::UsernameCaseMapped;
use unicode_normalization::UnicodeNormalization as _;

use self::alphabet::{Class, MAX_MARKS};
pub use self::{
    alphabet::{Alphabet, MAX_LENGTH, PATTERN},
    invalid::InvalidName,
};

/// Reserved usernames, which could be mistaken for the service or its staff. Only operators can create users with them.
const RESERVED: [&str; 14] = [
    "admin",
    "administrator",
    "api",
    "help",
    "info",
    "moderator",
    "operator",
    "owner",
    "root",
    "security",
    "staff",
    "support",
    "system",
    "vestibule",
];

/// A username, as the service shows it and in its canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    shown: String,
    canonical: String,
}

impl Name {
    /// Parses a username to register. The name is the text in Unicode normalization form C, so that a name that a
    /// device writes in decomposed characters is the same as on every other device.
    ///
    /// # Errors
    /// Returns an [`InvalidName`] if the text is longer than [`MAX_LENGTH`] or does not match [`PATTERN`], or if its
    /// normalization form is no username.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        check_pattern(text)?;
        let shown: String = text.nfc().collect();
        check_composition(&shown)?;
        let canonical = canonicalize(&shown).ok_or(InvalidName::Combination)?;
        Ok(Self { shown, canonical })
    }

    /// Returns the username as its user wrote it, in Unicode normalization form C.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Returns the canonical form, which is the same for all spellings of a username.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// Returns whether the username is in the built-in list or in `others`, a list of canonical names.
    pub fn is_reserved(&self, others: &[String]) -> bool {
        RESERVED.contains(&self.canonical.as_str()) || others.contains(&self.canonical)
    }
}

/// Checks that a text is no longer than [`MAX_LENGTH`] and matches [`PATTERN`].
fn check_pattern(text: &str) -> Result<(), InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::Empty);
    }
    if text.trim() != text {
        return Err(InvalidName::SpaceAround);
    }
    if text.chars().count() > MAX_LENGTH {
        return Err(InvalidName::TooLong);
    }
    check_alphabet(text)?;
    check_order(text)
}

/// Checks that all letters are of one alphabet, beside those that every alphabet shares.
fn check_alphabet(text: &str) -> Result<(), InvalidName> {
    let mut first = None;
    for character in text.chars() {
        match Class::of(character) {
            Class::Letter(alphabet) => {
                let one = *first.get_or_insert(alphabet);
                if one != alphabet {
                    return Err(InvalidName::MixedAlphabets(one, alphabet));
                }
            }
            Class::Other => return Err(InvalidName::Character(character)),
            _ => {}
        }
    }
    Ok(())
}

/// Checks that combining marks follow a letter, and that each separator stands between two letters.
fn check_order(text: &str) -> Result<(), InvalidName> {
    // The number of marks after the last letter, or `None` if no letter precedes.
    let mut marks = None;
    for character in text.chars() {
        marks = match Class::of(character) {
            Class::Letter(_) | Class::Shared | Class::Jamo => Some(0),
            Class::Diacritic | Class::Tail => {
                let more = marks.map(|count: usize| count.saturating_add(1)).filter(|count| *count <= MAX_MARKS);
                Some(more.ok_or(InvalidName::Mark(character))?)
            }
            Class::Separator if marks.is_some() => None,
            Class::Separator => return Err(InvalidName::Separator(character)),
            Class::Other => return Err(InvalidName::Character(character)),
        };
    }
    match text.chars().next_back() {
        Some(last) if marks.is_none() => Err(InvalidName::Separator(last)),
        _ => Ok(()),
    }
}

/// Checks that the normalization form of a text consists of the letters of usernames. Combining marks may remain,
/// because some letters exist only with a mark, such as `ẹ́` in Yoruba.
fn check_composition(normalized: &str) -> Result<(), InvalidName> {
    let is_composed = |class| matches!(class, Class::Letter(_) | Class::Shared | Class::Diacritic | Class::Separator);
    if normalized.chars().map(Class::of).all(is_composed) { Ok(()) } else { Err(InvalidName::Combination) }
}

/// Returns the canonical form of any text, as defined in RFC 8265 section 3.3 (`UsernameCaseMapped`).
///
/// Returns `None` if the profile rejects the text, if it is longer than [`MAX_LENGTH`], or if its form is not stable
/// (RFC 8264 section 7). The Greek final sigma becomes a normal sigma, because two usernames must not differ only in
/// it.
pub fn canonicalize(text: &str) -> Option<String> {
    if text.chars().count() > MAX_LENGTH {
        return None;
    }
    // The profile refuses decomposed Hangul, which it would compose only in a later step.
    let form = enforce_profile(&text.nfc().collect::<String>())?;
    (form.chars().count() <= MAX_LENGTH && enforce_profile(&form)? == form).then_some(form)
}

fn enforce_profile(text: &str) -> Option<String> {
    UsernameCaseMapped::enforce(text).ok().map(|name| name.replace('ς', "σ"))
}
