//! The string types of the contract. Each has a documented schema and is parsed strictly.

use std::borrow::Cow;

use poem_openapi::{
    registry::MetaSchemaRef,
    types::{ParseError, ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type},
};
use serde_json::Value;

use super::string_type::{StringSchema, request_string, response_string, string_type};
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

/// UUIDs.
const UUID: StringSchema = StringSchema {
    format: Some("uuid"),
    pattern: Some("^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
    length: None,
};
/// Times in UTC with whole seconds (RFC 3339).
const TIMESTAMP: StringSchema = StringSchema {
    format: Some("date-time"),
    pattern: Some("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"),
    length: None,
};
/// The compact serialization of a JWT.
const JWT_PATTERN: &str = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$";

request_string! {
    /// A user name to sign in with. It has no other rule than its length: the rules of registration do not apply.
    LoginIdentifier(String),
    StringSchema { length: Some((1, 320)), ..StringSchema::default() },
    parse: Some
}

request_string! {
    /// The password that a user has.
    CurrentPassword(Password),
    StringSchema { length: Some((1, password::MAX_LENGTH)), format: Some("password"), ..StringSchema::default() },
    parse: |text| Some(Password::from(text))
}

request_string! {
    /// A user name to register.
    Username(Name),
    StringSchema { length: Some((1, name::MAX_LENGTH)), pattern: Some(name::PATTERN), ..StringSchema::default() },
    parse: |text: String| Name::parse(&text).ok()
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
    /// A refresh token that a client sends. Any text is accepted here; one that is no refresh token gets
    /// `invalid_token`.
    PresentedRefreshToken(RefreshToken),
    StringSchema { length: Some((1, 2048)), ..StringSchema::default() },
    parse: |text| Some(RefreshToken::from(text))
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
    /// The id of a user.
    UserIdString(UserId), UUID, text: ToString::to_string
}

response_string! {
    /// The id of a session.
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
