//! The audit log: its events, and the head of their hash chain.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, integer, pk_uuid, string_len, string_len_null, uuid_null},
    sea_orm::DatabaseBackend,
};

use crate::tables::{IP_ADDRESS, create_index, digest, drop_tables, table};

/// Creates `audit_event` and `audit_head`.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

const POSITION: &str = "audit_event_position";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        manager.create_table(audit_event(backend)).await?;
        create_index(manager, "audit_event", "audit_event_occurred_at", "occurred_at").await?;
        if !manager.has_index("audit_event", POSITION).await? {
            let position = Index::create().name(POSITION).table("audit_event").col("position").unique().to_owned();
            manager.create_index(position).await?;
        }
        manager.create_table(audit_head(backend)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["audit_head", "audit_event"]).await
    }
}

fn audit_event(backend: DatabaseBackend) -> TableCreateStatement {
    table(backend, "audit_event")
        .col(pk_uuid("id"))
        .col(big_integer_null("position"))
        .col(big_integer("occurred_at"))
        .col(string_len("actor", 16))
        .col(string_len("kind", 64))
        .col(string_len("outcome", 16))
        .col(string_len_null("reason", 32))
        .col(uuid_null("user_id"))
        .col(uuid_null("session_id"))
        .col(string_len_null("client_ip", IP_ADDRESS))
        .col(uuid_null("request_id"))
        .col(digest("mac"))
        .to_owned()
}

fn audit_head(backend: DatabaseBackend) -> TableCreateStatement {
    table(backend, "audit_head")
        .col(integer("id").primary_key())
        .col(big_integer("first_position"))
        .col(digest("first_mac").not_null())
        .col(big_integer("last_position"))
        .col(digest("last_mac").not_null())
        .col(big_integer("outside"))
        .col(digest("mac").not_null())
        .to_owned()
}
