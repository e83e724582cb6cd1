//! Accounts, their sessions, and the sealed keys.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, blob, integer, pk_uuid, string_len, string_len_null, uuid},
    sea_orm::DatabaseBackend,
};

use crate::tables::table;

/// Creates `user`, `session` and `sealed_key`.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        manager.create_table(user(backend)).await?;
        manager.create_table(session(backend)).await?;
        for (name, column) in [("session_user_id", "user_id"), ("session_expires_at", "expires_at")] {
            if !manager.has_index("session", name).await? {
                let index = Index::create().name(name).table("session").col(column).to_owned();
                manager.create_index(index).await?;
            }
        }
        manager.create_table(sealed_key(backend)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["sealed_key", "session", "user"] {
            manager.drop_table(Table::drop().table(table).if_exists().to_owned()).await?;
        }
        Ok(())
    }
}

fn user(backend: DatabaseBackend) -> TableCreateStatement {
    table(backend, "user")
        .col(pk_uuid("id"))
        .col(string_len("username", 80))
        .col(string_len("username_canonical", 80).unique_key())
        .col(string_len("password_hash", 255))
        .col(string_len("state", 16))
        .col(big_integer("created_at"))
        .col(big_integer("password_changed_at"))
        .to_owned()
}

fn session(backend: DatabaseBackend) -> TableCreateStatement {
    table(backend, "session")
        .col(pk_uuid("id"))
        .col(uuid("user_id"))
        .col(big_integer("created_at"))
        .col(big_integer("last_used_at"))
        .col(big_integer("expires_at"))
        .col(big_integer("idle_expires_at"))
        .col(string_len("address", 45))
        .col(string_len_null("user_agent", 256))
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
