//! Sealed keys: keys that are encrypted under the master key.

use sea_orm::{QueryOrder, Select, entity::prelude::*};

use crate::{clock::Timestamp, ids::KeyId};

/// The purpose of a key. The seal of the key authenticates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum Purpose {
    /// Signs access tokens.
    #[sea_orm(string_value = "signing")]
    Signing,
    /// Authenticates refresh tokens.
    #[sea_orm(string_value = "refresh")]
    Refresh,
    /// Hashes names and IP addresses that the service only needs to recognize.
    #[sea_orm(string_value = "pseudonym")]
    Pseudonym,
    /// Authenticates audit events.
    #[sea_orm(string_value = "audit")]
    Audit,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sealed_key")]
/// A sealed key.
pub struct Model {
    /// The identifier of the key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: KeyId,
    /// The purpose of the key.
    pub purpose: Purpose,
    /// The number of the key among the keys of its purpose, counted from 1. It is unique, so that two instances cannot
    /// both create the next key.
    pub generation: i32,
    /// The nonce, ciphertext and tag of AES-256-GCM.
    pub sealed: Vec<u8>,
    /// When the key was created.
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// Selects the keys of one purpose, oldest first.
    pub fn keys_of(purpose: Purpose) -> Select<Self> {
        Self::find().filter(COLUMN.purpose.eq(purpose)).order_by_asc(COLUMN.generation)
    }

    /// Selects the keys with these identifiers.
    pub fn of(ids: impl IntoIterator<Item = KeyId>) -> Select<Self> {
        Self::find().filter(COLUMN.id.is_in(ids))
    }

    /// Selects the keys that are created together with the first signing key.
    pub fn created_with_signing() -> Select<Self> {
        Self::find().filter(COLUMN.purpose.is_in([Purpose::Refresh, Purpose::Pseudonym]))
    }
}
