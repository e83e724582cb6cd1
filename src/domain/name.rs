//! Usernames: the pattern of usernames that can be registered, and their canonical form.

use precis_core::profile::PrecisFastInvocation as _;
use precis_profiles::UsernameCaseMapped;

/// The maximum length of a username, in code points.
pub const MAX_LENGTH: usize = 80;

/// Declares the letters of usernames once, for the check and for the pattern in the OpenAPI document.
macro_rules! letters {
    ($($first:literal $(..= $last:literal)?),+ $(,)?) => {
        /// The regular expression of usernames that can be registered: letters and digits of several scripts, which
        /// single dots, underscores or hyphens may separate.
        ///
        /// It consists of literal ranges only, so that every regular expression engine interprets it in the same way.
        /// The profile `UsernameCaseMapped` of RFC 8265 accepts all these usernames, and each has one canonical form of
        /// the same length. The set may grow but not shrink, because the usernames of existing users must stay valid.
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

/// The error of a text that cannot be a username.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a username has 1 to {MAX_LENGTH} characters: letters and digits, which single dots, underscores or hyphens may \
     separate"
)]
pub struct InvalidName;

/// A username, as its user writes it and in its canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    shown: String,
    canonical: String,
}

impl Name {
    /// Parses a username to register.
    ///
    /// # Errors
    /// Returns [`InvalidName`] if the text is longer than [`MAX_LENGTH`] or does not match [`PATTERN`].
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        if text.chars().count() > MAX_LENGTH || !matches_pattern(text) {
            return Err(InvalidName);
        }
        let canonical = canonicalize(text).ok_or(InvalidName)?;
        Ok(Self { shown: text.to_owned(), canonical })
    }

    /// Returns the username, as its user writes it.
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

/// Returns the canonical form of any text, as defined in RFC 8265 section 3.3 (`UsernameCaseMapped`).
///
/// Returns `None` if the profile rejects the text, if it is longer than [`MAX_LENGTH`], or if its form is not stable
/// (RFC 8264 section 7). The Greek final sigma becomes a normal sigma, because two usernames must not differ only in
/// it.
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
