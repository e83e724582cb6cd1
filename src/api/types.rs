//! Scalars of the contract: each with its documented form, strictly read.

use std::borrow::Cow;

use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type},
};
use serde_json::Value;

use crate::{
    clock::Timestamp,
    domain::{
        name::{self, Name},
        password,
        token::refresh,
    },
    ids::{SessionId, UserId},
    secret::{AccessToken, Password, RefreshToken},
};

/// The form of identifiers.
const UUID_PATTERN: &str = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";
/// The form of instants: RFC 3339 in UTC with whole seconds.
const INSTANT_PATTERN: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$";

/// What the schema of a text says beside its type.
#[derive(Default)]
struct Form {
    format: Option<&'static str>,
    pattern: Option<&'static str>,
    length: Option<(usize, usize)>,
}

impl Form {
    fn schema(self) -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema {
            format: self.format,
            pattern: self.pattern.map(ToOwned::to_owned),
            min_length: self.length.map(|(least, _)| least),
            max_length: self.length.map(|(_, most)| most),
            ..MetaSchema::new("string")
        }))
    }
}

/// A JSON string with a documented form around a value of the domain.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident($inner:ty), $form:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(super) struct $name(pub(super) $inner);

        impl Type for $name {
            const IS_REQUIRED: bool = true;
            type RawValueType = Self;
            type RawElementValueType = Self;

            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn schema_ref() -> MetaSchemaRef {
                $form.schema()
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

/// A text that clients send. The body has satisfied the schema before it is parsed.
macro_rules! sent {
    ($name:ident, $parse:expr) => {
        impl ParseFromJSON for $name {
            fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
                match value {
                    Some(Value::String(text)) => {
                        $parse(text).map(Self).ok_or_else(|| ParseError::custom("not of this form"))
                    }
                    _ => Err(ParseError::custom("not a string")),
                }
            }
        }

        /// Objects need both directions; nothing of this kind is ever sent back.
        impl ToJSON for $name {
            fn to_json(&self) -> Option<Value> {
                None
            }
        }
    };
}

/// A text that the service sends.
macro_rules! received {
    ($name:ident, $show:expr) => {
        impl ToJSON for $name {
            fn to_json(&self) -> Option<Value> {
                Some(Value::String($show(&self.0)))
            }
        }

        /// Objects need both directions; nothing of this kind is ever read.
        impl ParseFromJSON for $name {
            fn parse_from_json(_: Option<Value>) -> ParseResult<Self> {
                Err(ParseError::custom("only ever sent"))
            }
        }
    };
}

text! {
    /// A name or address to sign in with: anything that fits, because registration's rules do not apply to login.
    LoginName(String), Form { length: Some((1, 320)), ..Form::default() }
}
sent!(LoginName, Some);

text! {
    /// A password to sign in with.
    LoginPassword(Password), Form { length: Some((1, password::MAX_LENGTH)), format: Some("password"), ..Form::default() }
}
sent!(LoginPassword, |text| Some(Password::from(text)));

text! {
    /// A name to register.
    Username(Name), Form { length: Some((1, name::MAX_LENGTH)), pattern: Some(name::PATTERN), ..Form::default() }
}
sent!(Username, |text: String| Name::parse(&text).ok());

text! {
    /// A password to be set.
    NewPassword(Password),
    Form { length: Some((password::MIN_LENGTH, password::MAX_LENGTH)), format: Some("password"), ..Form::default() }
}
sent!(NewPassword, |text| Some(Password::from(text)));

text! {
    /// An account's identifier.
    UserIdText(UserId), Form { format: Some("uuid"), pattern: Some(UUID_PATTERN), ..Form::default() }
}
received!(UserIdText, ToString::to_string);

text! {
    /// An instant.
    Instant(Timestamp), Form { format: Some("date-time"), pattern: Some(INSTANT_PATTERN), ..Form::default() }
}
received!(Instant, ToString::to_string);

text! {
    /// An access token.
    AccessTokenText(AccessToken), Form { pattern: Some("^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$"), ..Form::default() }
}
received!(AccessTokenText, |token: &AccessToken| token.expose().to_owned());

text! {
    /// A refresh token that a client presents: anything that fits, because what is no token of ours is refused as a
    /// token, not as a request.
    RefreshTokenText(RefreshToken), Form { length: Some((1, 2048)), ..Form::default() }
}
sent!(RefreshTokenText, |text| Some(RefreshToken::from(text)));

text! {
    /// A refresh token that the service makes.
    NewRefreshToken(RefreshToken), Form { pattern: Some(refresh::PATTERN), ..Form::default() }
}
received!(NewRefreshToken, |token: &RefreshToken| token.expose().to_owned());

text! {
    /// A session's identifier.
    SessionIdText(SessionId), Form { format: Some("uuid"), pattern: Some(UUID_PATTERN), ..Form::default() }
}
received!(SessionIdText, ToString::to_string);

impl ParseFromParameter for SessionIdText {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        value.parse().map(Self).map_err(ParseError::custom)
    }
}
