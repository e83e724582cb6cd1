//! Field errors: what is wrong with one member of a request body.

use poem_openapi::Object;

use crate::domain::password::Weakness;

/// One thing that is wrong with the body.
#[derive(Clone, Debug, PartialEq, Eq, Object)]
#[oai(rename = "FieldError")]
pub struct FieldError {
    /// Where: a JSON pointer (RFC 6901) into the body.
    pub pointer: String,
    /// What, in one word.
    #[oai(validator(pattern = "^[a-z][a-z0-9_]*$"))]
    pub code: String,
    /// What, for people.
    pub detail: String,
}

impl FieldError {
    /// Creates a field error.
    pub(super) fn new(pointer: impl Into<String>, code: &str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code: code.to_owned(), detail: detail.into() }
    }

    /// Returns the field error of a new password that breaks the password policy.
    pub(crate) fn weak_password(pointer: &str, weakness: Weakness) -> Self {
        let code = match weakness {
            Weakness::TooShort(_) => "too_short",
            Weakness::TooLong => "too_long",
            Weakness::Common => "common",
            Weakness::SameAsName => "same_as_username",
        };
        Self::new(pointer, code, weakness.to_string())
    }
}
