//! Keys, sealed by the master key.

use sea_orm::{QueryOrder, Select, entity::prelude::*};

use crate::{clock::Timestamp, ids::KeyId};

/// What a key is for. The seal of the key authenticates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum Purpose {
    /// Signs access tokens.
    #[sea_orm(string_value = "signing")]
    Signing,
    /// Authenticates refresh tokens.
    #[sea_orm(string_value = "refresh")]
    Refresh,
    /// Hashes names and IP addresses that only have to be recognized.
    #[sea_orm(string_value = "pseudonym")]
    Pseudonym,
    /// Authenticates audit events.
    #[sea_orm(string_value = "audit")]
    Audit,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sealed_key")]
/// A key that only the master key opens.
pub struct Model {
    /// The key's identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: KeyId,
    /// What it is for.
    pub purpose: Purpose,
    /// Counts the keys of one purpose from 1. Unique per purpose, so two instances cannot both create the next one.
    pub generation: i32,
    /// Nonce, ciphertext and tag of AES-256-GCM.
    pub sealed: Vec<u8>,
    /// When the key was created.
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// The keys of one purpose, oldest first.
    pub fn keys_of(purpose: Purpose) -> Select<Self> {
        Self::find().filter(COLUMN.purpose.eq(purpose)).order_by_asc(COLUMN.generation)
    }

    /// The keys with these identifiers.
    pub fn of(ids: impl IntoIterator<Item = KeyId>) -> Select<Self> {
        Self::find().filter(COLUMN.id.is_in(ids))
    }

    /// Keys that are created together with the first signing key.
    pub fn created_with_signing() -> Select<Self> {
        Self::find().filter(COLUMN.purpose.is_in([Purpose::Refresh, Purpose::Pseudonym]))
    }
}
