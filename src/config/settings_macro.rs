//! The macro that declares a section.

/// Declares a section: each field with its description (the doc comment), its type with bounds, and its default as
/// text. An empty default means that the setting has no default. A secret `password` also declares the setting
/// `password_file`, which is not a field.
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
            pub(super) const DECLARATION: $crate::config::declaration::SectionDeclaration =
                $crate::config::declaration::SectionDeclaration {
                    name: $name,
                    description: &[$($about),+],
                    fields: &[$(
                        $crate::config::declaration::Declaration {
                            name: stringify!($field),
                            key: concat!($name, ".", stringify!($field)),
                            description: &[$($description),+],
                            default: $default,
                            expected: <$type as $crate::config::value::SettingValue>::expected,
                            secret: <$type as $crate::config::value::SettingValue>::SECRET,
                            file: if <$type as $crate::config::value::SettingValue>::SECRET {
                                Some(&$crate::config::declaration::Declaration {
                                    name: concat!(stringify!($field), "_file"),
                                    key: concat!($name, ".", stringify!($field), "_file"),
                                    description: &[concat!(
                                        "The file that contains `", $name, ".", stringify!($field), "`. Set only one \
                                         of the two. The file must belong to the user of the server, with mode 0600 \
                                         or stricter, or to root, with mode 0640 or stricter."
                                    )],
                                    default: "",
                                    expected: <std::path::PathBuf as $crate::config::value::SettingValue>::expected,
                                    secret: false,
                                    file: None,
                                })
                            } else {
                                None
                            },
                        }
                    ),+],
                };

            /// Parses every setting of the section. An unset setting has its default.
            pub(super) fn read(
                raw: &$crate::config::source::RawSettings,
            ) -> Result<Self, $crate::config::error::ConfigError> {
                Ok(Self {
                    $($field: raw.value(concat!($name, ".", stringify!($field)), $default)?,)+
                })
            }

            /// Returns the value of every field, in the order of the declarations, with secrets redacted.
            pub(super) fn values(&self) -> Vec<toml::Value> {
                vec![$($crate::config::value::SettingValue::to_toml(&self.$field)),+]
            }
        }
    };
}

pub(super) use settings;
