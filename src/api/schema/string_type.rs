//! Macros that declare a JSON string type around a value of the domain.

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};

/// The schema of a string.
#[derive(Default)]
pub(super) struct StringSchema {
    pub(super) format: Option<&'static str>,
    pub(super) pattern: Option<&'static str>,
    /// The least and the greatest length, in code points.
    pub(super) length: Option<(usize, usize)>,
}

impl StringSchema {
    pub(super) fn to_schema_ref(&self) -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema {
            format: self.format,
            pattern: self.pattern.map(ToOwned::to_owned),
            min_length: self.length.map(|(min, _)| min),
            max_length: self.length.map(|(_, max)| max),
            ..MetaSchema::new("string")
        }))
    }
}

/// Declares a string type with its schema.
macro_rules! string_type {
    ($(#[$doc:meta])* $name:ident($inner:ty), $schema:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name(pub(crate) $inner);

        impl Type for $name {
            const IS_REQUIRED: bool = true;
            type RawValueType = Self;
            type RawElementValueType = Self;

            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn schema_ref() -> MetaSchemaRef {
                $schema.to_schema_ref()
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }

            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
                Box::new(self.as_raw_value().into_iter())
            }
        }
    };
}

/// Declares a string type of requests. `parse` turns the text into an `Option` of the value; the text has satisfied the
/// schema before.
macro_rules! request_string {
    ($(#[$doc:meta])* $name:ident($inner:ty), $schema:expr, parse: $parse:expr) => {
        string_type! { $(#[$doc])* $name($inner), $schema }

        impl ParseFromJSON for $name {
            fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
                let Some(Value::String(text)) = value else {
                    return Err(ParseError::custom("not a string"));
                };
                $parse(text).map(Self).ok_or_else(|| ParseError::custom("not of this form"))
            }
        }

        /// Required by poem-openapi; requests are never written.
        impl ToJSON for $name {
            fn to_json(&self) -> Option<Value> {
                None
            }
        }
    };
}

/// Declares a string type of responses. `text` turns a reference to the value into its text.
macro_rules! response_string {
    ($(#[$doc:meta])* $name:ident($inner:ty), $schema:expr, text: $text:expr) => {
        string_type! { $(#[$doc])* $name($inner), $schema }

        impl ToJSON for $name {
            fn to_json(&self) -> Option<Value> {
                Some(Value::String($text(&self.0)))
            }
        }

        /// Required by poem-openapi; responses are never parsed.
        impl ParseFromJSON for $name {
            fn parse_from_json(_: Option<Value>) -> ParseResult<Self> {
                Err(ParseError::custom("only written"))
            }
        }
    };
}

pub(super) use {request_string, response_string, string_type};
