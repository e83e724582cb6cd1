//! Declarations of settings and sections.

use super::error::variable;

/// The declaration of a setting.
#[derive(Debug)]
pub struct Declaration {
    /// The name of the field in its section.
    pub name: &'static str,
    /// The section and the name, such as `server.listen`.
    pub key: &'static str,
    /// The lines of the field's doc comment.
    pub description: &'static [&'static str],
    /// The default as text. Empty if the setting has none.
    pub default: &'static str,
    /// Describes the type and its bounds.
    pub expected: fn() -> String,
}

impl Declaration {
    /// Returns the environment variable of the setting.
    pub fn variable(&self) -> String {
        variable(self.key)
    }
}

/// The declaration of a section.
pub(super) struct SectionDeclaration {
    /// The name, without brackets.
    pub(super) name: &'static str,
    /// The lines of the section's doc comment.
    pub(super) description: &'static [&'static str],
    /// The settings, in the order of their declarations.
    pub(super) settings: &'static [Declaration],
}
