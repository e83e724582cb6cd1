//! The string types of request and response bodies. The macros declare each type as a wrapper of a domain value, with
//! its schema in the document.

use std::borrow::Cow;

use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type},
};
use serde_json::Value;

use crate::{
    clock::Timestamp,
    domain::{name, password, token::refresh},
    ids::{SessionId, UserId},
    secret::{AccessToken, Password, RefreshToken},
};

/// The schema of a string.
#[derive(Default)]
struct StringSchema {
    format: Option<&'static str>,
    pattern: Option<&'static str>,
    /// The minimum and maximum length, in code points.
    length: Option<(usize, usize)>,
    example: Option<&'static str>,
}

impl StringSchema {
    fn to_schema_ref(&self) -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema {
            format: self.format,
            pattern: self.pattern.map(ToOwned::to_owned),
            min_length: self.length.map(|(min, _)| min),
            max_length: self.length.map(|(_, max)| max),
            example: self.example.map(Value::from),
            ..MetaSchema::new("string")
        }))
    }
}

/// Declares a string type with its schema.
macro_rules! string_type {
    ($(#[$doc:meta])* $name:ident($inner:ty), $schema:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
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

/// Declares a string type of requests. `parse` converts the text into an `Option` of the value; the text satisfies the
/// schema.
macro_rules! request_string {
    ($(#[$doc:meta])* $name:ident($inner:ty), $schema:expr, parse: $parse:expr) => {
        string_type! { $(#[$doc])* $name($inner), $schema }

        impl ParseFromJSON for $name {
            fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
                let Some(Value::String(text)) = value else {
                    return Err(ParseError::custom("not a string"));
                };
                $parse(text).map(Self).ok_or_else(|| ParseError::custom("invalid value"))
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

/// Declares a string type of responses. `text` converts a reference to the value into its text.
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
                Err(ParseError::custom("response types cannot be parsed"))
            }
        }
    };
}

// A string with a format has no pattern: generated clients convert it to a type of their language, and some then apply
// the pattern to that type and fail. The tests check the exact form.
const UUID: StringSchema = StringSchema {
    format: Some("uuid"),
    pattern: None,
    length: None,
    example: Some("36a1ef70-df50-48c3-b986-56b142692768"),
};
/// A time in UTC with whole seconds (RFC 3339).
const TIMESTAMP: StringSchema = StringSchema { format: Some("date-time"), pattern: None, length: None, example: None };
/// The pattern of problem codes and of the codes of field errors.
pub const CODE_PATTERN: &str = "^[a-z][a-z0-9_]*$";
/// The compact serialization of a JWT.
const JWT_PATTERN: &str = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$";

request_string! {
    /// A username to log in with. Only its length is limited: the rules of registration do not apply.
    LoginIdentifier(String),
    StringSchema { length: Some((1, 320)), ..StringSchema::default() },
    parse: Some
}

request_string! {
    /// The current password of a user.
    CurrentPassword(Password),
    StringSchema { length: Some((1, password::MAX_LENGTH)), format: Some("password"), ..StringSchema::default() },
    parse: |text| Some(Password::from(text))
}

request_string! {
    /// A username to register. The domain parses it, because a text that matches the pattern may still be no username.
    Username(String),
    StringSchema { length: Some((1, name::MAX_LENGTH)), pattern: Some(name::PATTERN), ..StringSchema::default() },
    parse: Some
}

request_string! {
    /// A password to set.
    NewPassword(Password),
    StringSchema {
        length: Some((password::MIN_LENGTH, password::MAX_LENGTH)),
        format: Some("password"),
        ..StringSchema::default()
    },
    parse: |text| Some(Password::from(text))
}

request_string! {
    /// A refresh token that a client sends. Any text is accepted here; a text that is not a refresh token later fails
    /// with `invalid_token`.
    PresentedRefreshToken(RefreshToken),
    StringSchema { length: Some((1, 2048)), ..StringSchema::default() },
    parse: |text| Some(RefreshToken::from(text))
}

response_string! {
    /// The code of a problem or of a field error.
    CodeString(&'static str),
    StringSchema { pattern: Some(CODE_PATTERN), ..StringSchema::default() },
    text: ToString::to_string
}

response_string! {
    /// A refresh token that the service issues.
    IssuedRefreshToken(RefreshToken),
    StringSchema { pattern: Some(refresh::PATTERN), ..StringSchema::default() },
    text: |token: &RefreshToken| token.expose().to_owned()
}

response_string! {
    /// An access token that the service issues.
    IssuedAccessToken(AccessToken),
    StringSchema { pattern: Some(JWT_PATTERN), ..StringSchema::default() },
    text: |token: &AccessToken| token.expose().to_owned()
}

response_string! {
    /// The identifier of a user.
    UserIdString(UserId), UUID, text: ToString::to_string
}

response_string! {
    /// The identifier of a session.
    SessionIdString(SessionId), UUID, text: ToString::to_string
}

impl ParseFromParameter for SessionIdString {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        value.parse().map(Self).map_err(ParseError::custom)
    }
}

response_string! {
    /// A point in time.
    TimestampString(Timestamp), TIMESTAMP, text: ToString::to_string
}
