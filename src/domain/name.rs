//! User names: which ones can be registered, and which spellings are the same name.

use precis_core::profile::PrecisFastInvocation as _;
use precis_profiles::UsernameCaseMapped;

/// The longest user name, in code points.
pub const MAX_LENGTH: usize = 80;

/// Declares the letters of user names once, for the check and for the pattern in the OpenAPI document.
macro_rules! letters {
    ($($first:literal $(..= $last:literal)?),+ $(,)?) => {
        /// The regular expression of names that can be registered: letters and digits of several scripts, which single
        /// dots, underscores or hyphens may separate.
        ///
        /// It consists of literal ranges only, so that every regular expression engine reads it alike. RFC 8265's
        /// `UsernameCaseMapped` accepts all these names, and each has one canonical form of the same length. The set
        /// may grow but not shrink, because the names of existing users must stay valid.
        pub const PATTERN: &str = concat!(
            "^[", $($first, $("-", $last,)?)+ "]([._-]?[", $($first, $("-", $last,)?)+ "])*$",
        );

        const fn is_letter(character: char) -> bool {
            matches!(character, $($first $(..= $last)?)|+)
        }
    };
}

letters! {
    '0'..='9', 'A'..='Z', 'a'..='z',
    // Latin
    'À'..='Ö', 'Ø'..='ö', 'ø'..='į', 'Ĵ'..='ľ', 'Ł'..='ň', 'Ŋ'..='ž',
    // Greek
    'Ά', 'Έ'..='Ί', 'Ό', 'Ύ'..='Ρ', 'Σ'..='ώ',
    // Cyrillic
    'Ѐ'..='ѿ',
    // Latin with Vietnamese letters
    'Ḁ'..='ẙ', 'Ạ'..='ỿ',
    // Hiragana, Katakana
    'ぁ'..='ゖ', 'ァ'..='ヺ', 'ー',
    // Chinese characters, Hangul
    '一'..='鿋', '가'..='힣',
}

/// Names that could be mistaken for the service or its staff. Only an operator can create users with them.
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

/// The text cannot be a user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a user name has 1 to {MAX_LENGTH} letters or digits; single dots, underscores or hyphens may separate them")]
pub struct InvalidName;

/// A user name, as its user writes it and in its canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    shown: String,
    canonical: String,
}

impl Name {
    /// Parses a name to register.
    ///
    /// # Errors
    /// [`InvalidName`] if it is longer than [`MAX_LENGTH`] or does not match [`PATTERN`].
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        if text.chars().count() > MAX_LENGTH || !matches_pattern(text) {
            return Err(InvalidName);
        }
        let canonical = canonicalize(text).ok_or(InvalidName)?;
        Ok(Self { shown: text.to_owned(), canonical })
    }

    /// Returns the name as its user writes it.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Returns the canonical form, which is equal for all spellings of a name.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// Returns whether the name is in the built-in list or in `others`, a list of canonical names.
    pub fn is_reserved(&self, others: &[String]) -> bool {
        RESERVED.contains(&self.canonical.as_str()) || others.contains(&self.canonical)
    }
}

/// Returns whether a text matches [`PATTERN`].
fn matches_pattern(text: &str) -> bool {
    let mut after_letter = false;
    for character in text.chars() {
        let letter = is_letter(character);
        let separator = after_letter && matches!(character, '.' | '_' | '-');
        if !letter && !separator {
            return false;
        }
        after_letter = letter;
    }
    after_letter
}

/// Returns the canonical form of any text by RFC 8265 section 3.3 (`UsernameCaseMapped`).
///
/// Returns `None` if the profile rejects the text, if it is longer than [`MAX_LENGTH`], or if its form is not stable
/// (RFC 8264 section 7). The Greek final sigma becomes a normal sigma: two names must not differ in it alone.
pub fn canonicalize(text: &str) -> Option<String> {
    if text.chars().count() > MAX_LENGTH {
        return None;
    }
    let form = enforce_profile(text)?;
    (form.chars().count() <= MAX_LENGTH && enforce_profile(&form)? == form).then_some(form)
}

fn enforce_profile(text: &str) -> Option<String> {
    UsernameCaseMapped::enforce(text).ok().map(|name| name.replace('ς', "σ"))
}
