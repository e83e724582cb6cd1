//! Declarations of settings and sections.

use std::iter;

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
    /// Whether the value is a secret.
    pub secret: bool,
    /// The setting that names a file with the value, if the value is a secret.
    pub(super) file: Option<&'static Declaration>,
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
    /// The settings that are fields of the section, in the order of their declarations.
    pub(super) fields: &'static [Declaration],
}

impl SectionDeclaration {
    /// Returns every setting: each field, and after each secret the setting that names its file.
    pub(super) fn settings(&self) -> impl Iterator<Item = &'static Declaration> {
        let fields = self.fields;
        fields.iter().flat_map(move |field| iter::once(field).chain(secret_file(fields, field)))
    }

    /// Returns each secret and the setting that names its file.
    pub(super) fn secret_files(&self) -> impl Iterator<Item = (&'static Declaration, &'static Declaration)> {
        self.fields.iter().filter_map(|field| Some((field, secret_file(self.fields, field)?)))
    }
}

/// Returns the setting that names the file of a secret, unless the section declares that setting itself.
fn secret_file(fields: &[Declaration], secret: &Declaration) -> Option<&'static Declaration> {
    secret.file.filter(|file| fields.iter().all(|field| field.key != file.key))
}
