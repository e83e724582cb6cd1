//! The declaration of settings: the macro that declares a section, and what it generates.

use super::error::variable;

/// One setting, as it was declared.
#[derive(Debug)]
pub struct Declaration {
    /// The name of the field in its section.
    pub name: &'static str,
    /// The section and the name, such as `server.listen`.
    pub key: &'static str,
    /// The lines of the field's doc comment.
    pub description: &'static [&'static str],
    /// The default as text; empty for a setting that has none.
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

/// One section, as it was declared.
pub(super) struct SectionDeclaration {
    /// The name in brackets.
    pub(super) name: &'static str,
    /// The lines of the section's doc comment.
    pub(super) description: &'static [&'static str],
    /// Its settings, in the order of their declaration.
    pub(super) settings: &'static [Declaration],
}

/// Declares a section: each field with its description (the doc comment), its type with bounds, and its default as text.
/// An empty default means that the setting has none.
macro_rules! settings {
    (
        $(#[doc = $about:literal])+
        pub struct $section:ident as $name:literal {
            $(
                $(#[doc = $description:literal])+
                $field:ident: $type:ty = $default:expr,
            )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug)]
        pub struct $section {
            $(
                $(#[doc = $description])+
                pub $field: $type,
            )+
        }

        impl $section {
            pub(super) const DECLARATION: $crate::config::declare::SectionDeclaration =
                $crate::config::declare::SectionDeclaration {
                    name: $name,
                    description: &[$($about),+],
                    settings: &[$(
                        $crate::config::declare::Declaration {
                            name: stringify!($field),
                            key: concat!($name, ".", stringify!($field)),
                            description: &[$($description),+],
                            default: $default,
                            expected: <$type as $crate::config::value::SettingValue>::expected,
                        }
                    ),+],
                };

            /// Parses every setting of the section; a setting that is not set has its default.
            pub(super) fn read(
                raw: &$crate::config::source::RawSettings,
            ) -> Result<Self, $crate::config::error::ConfigError> {
                Ok(Self {
                    $($field: raw.value(concat!($name, ".", stringify!($field)), $default)?,)+
                })
            }

            /// Returns every value, in the order of the declarations, with secrets redacted.
            pub(super) fn values(&self) -> Vec<toml::Value> {
                vec![$($crate::config::value::SettingValue::to_toml(&self.$field)),+]
            }
        }
    };
}

pub(super) use settings;
