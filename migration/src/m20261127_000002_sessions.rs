//! Sessions, and the sealed keys.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, blob, integer, pk_uuid, string_len, string_len_null, uuid},
    sea_orm::DatabaseBackend,
};

use crate::tables::{IP_ADDRESS, create_index, digest, drop_tables, table};

/// Creates `session` and `sealed_key`.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        manager.create_table(session(backend)).await?;
        create_index(manager, "session", "session_user_id", "user_id").await?;
        create_index(manager, "session", "session_idle_expires_at", "idle_expires_at").await?;
        manager.create_table(sealed_key(backend)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["sealed_key", "session"]).await
    }
}

fn session(backend: DatabaseBackend) -> TableCreateStatement {
    table(backend, "session")
        .col(pk_uuid("id"))
        .col(uuid("user_id"))
        .col(big_integer("created_at"))
        .col(big_integer("last_used_at"))
        .col(big_integer("expires_at"))
        .col(big_integer("idle_expires_at"))
        .col(string_len("client_ip", IP_ADDRESS))
        .col(string_len_null("user_agent", 256))
        .col(big_integer("counter"))
        .col(big_integer("rotated_at"))
        .col(big_integer("refreshes_until"))
        .col(digest("secret_digest").not_null())
        .foreign_key(
            ForeignKey::create().from("session", "user_id").to("user", "id").on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}

fn sealed_key(backend: DatabaseBackend) -> TableCreateStatement {
    table(backend, "sealed_key")
        .col(pk_uuid("id"))
        .col(string_len("purpose", 16))
        .col(integer("generation"))
        .col(blob("sealed"))
        .col(big_integer("created_at"))
        .index(Index::create().unique().name("sealed_key_generation").col("purpose").col("generation"))
        .to_owned()
}
