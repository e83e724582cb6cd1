//! Identifiers. Each kind has its own type, so that the compiler rejects an identifier of the wrong kind.

use std::{fmt, str::FromStr};

use sea_orm::{DbErr, DeriveValueType, TryFromU64};
use uuid::Uuid;

/// The text is not a lower-case, hyphenated UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a lower-case UUID")]
pub struct InvalidId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, DeriveValueType)]
        pub struct $name(Uuid);

        impl $name {
            /// Creates a random identifier (UUID version 4).
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }

            /// Creates the identifier from its 16 bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// Returns the 16 bytes of the identifier.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl TryFromU64 for $name {
            /// Always fails. `sea_orm` requires the conversion for identifiers that the database generates.
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($name)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Parses the form that `Display` writes: lower case, with hyphens.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let id = Uuid::try_parse(text).map(Self).map_err(|_| InvalidId)?;
                if id.to_string() == text { Ok(id) } else { Err(InvalidId) }
            }
        }
    };
}

id! {
    /// Identifies a user.
    UserId
}
id! {
    /// Identifies a session. Access tokens contain it as `sid`.
    SessionId
}
id! {
    /// Identifies a sealed key. Access tokens contain the identifier of their signing key as `kid`. Refresh tokens
    /// contain the identifier of the key that authenticates them.
    KeyId
}
id! {
    /// Identifies an audit event.
    AuditEventId
}
id! {
    /// Identifies a request. Its response contains it in the `X-Request-Id` header.
    RequestId
}
