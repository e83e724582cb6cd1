//! User names: which may be registered, and which spellings are one name.

use std::sync::LazyLock;

use precis_core::profile::PrecisFastInvocation as _;
use precis_profiles::UsernameCaseMapped;
use regex::Regex;

/// The longest name that may be registered, in code points.
pub const MAX_LENGTH: usize = 80;

/// Names that may be registered: letters and digits of several scripts, joined by single dots, underscores or hyphens.
///
/// Literal ranges only, so that every regular expression engine reads it alike. All of these names are accepted by
/// RFC 8265's `UsernameCaseMapped`, and each has one canonical form of the same length. The set may grow, never shrink.
pub const REGISTRABLE: &str = concat!(
    "^[0-9A-Za-zÀ-ÖØ-öø-įĴ-ľŁ-ňŊ-žΆΈ-ΊΌΎ-ΡΣ-ώЀ-ѿḀ-ẙẠ-ỿぁ-ゖァ-ヺー一-鿋가-힣]",
    "([._-]?[0-9A-Za-zÀ-ÖØ-öø-įĴ-ľŁ-ňŊ-žΆΈ-ΊΌΎ-ΡΣ-ώЀ-ѿḀ-ẙẠ-ỿぁ-ゖァ-ヺー一-鿋가-힣])*$",
);

/// Names that look as if they spoke for the service; only an operator may create them.
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
#[error("a user name has 1 to {MAX_LENGTH} letters or digits, which single dots, underscores or hyphens may join")]
pub struct InvalidName;

/// A name that may be registered, with the form by which it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    shown: String,
    canonical: String,
}

impl Name {
    /// Reads a name as a person typed it.
    ///
    /// # Errors
    /// [`InvalidName`] when it is longer than [`MAX_LENGTH`] or does not match [`REGISTRABLE`].
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        static PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(REGISTRABLE).ok());
        let matches = PATTERN.as_ref().is_some_and(|pattern| pattern.is_match(text));
        if text.chars().count() > MAX_LENGTH || !matches {
            return Err(InvalidName);
        }
        let canonical = canonical(text).ok_or(InvalidName)?;
        Ok(Self { shown: text.to_owned(), canonical })
    }

    /// The name as it was typed.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The form by which it is found; equal for all spellings of one name.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// Whether it stands in the built-in list or in `more`, a list of canonical names.
    #[must_use]
    pub fn is_reserved(&self, more: &[String]) -> bool {
        RESERVED.contains(&self.canonical.as_str()) || more.contains(&self.canonical)
    }
}

/// The canonical form of any text by RFC 8265 section 3.3 (`UsernameCaseMapped`), or `None` for what that profile
/// refuses, for what no column could hold, and for what would have yet another form (RFC 8264 section 7). The Greek final
/// sigma counts as any other: where it stands depends on what follows it, and two names must not differ by it alone.
#[must_use]
pub fn canonical(text: &str) -> Option<String> {
    if text.chars().count() > MAX_LENGTH {
        return None;
    }
    let form = enforced(text)?;
    (form.chars().count() <= MAX_LENGTH && enforced(&form)? == form).then_some(form)
}

fn enforced(text: &str) -> Option<String> {
    UsernameCaseMapped::enforce(text).ok().map(|name| name.replace('ς', "σ"))
}
