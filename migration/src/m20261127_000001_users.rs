//! Users.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, pk_uuid, string_len},
};

use crate::tables::{drop_tables, table};

/// Creates `user`.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let user = table(manager.get_database_backend(), "user")
            .col(pk_uuid("id"))
            .col(string_len("username", 80))
            .col(string_len("username_canonical", 80).unique_key())
            .col(string_len("password_hash", 255))
            .col(string_len("state", 16))
            .col(big_integer("created_at"))
            .col(big_integer("password_changed_at"))
            .to_owned();
        manager.create_table(user).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["user"]).await
    }
}
