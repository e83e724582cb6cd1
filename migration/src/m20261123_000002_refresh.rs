//! What refresh tokens need of a session; audit events; jobs that one instance runs for all.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, pk_uuid, string_len, string_len_null, uuid_null},
};

use crate::tables::{index, table};

/// Adds the columns of refresh tokens to `session`, and creates `audit_event` and `job`.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

/// How long a SHA-256 digest is, in bytes.
const DIGEST: u32 = 32;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        for (name, column) in session_columns() {
            if !manager.has_column("session", name).await? {
                manager.alter_table(Table::alter().table("session").add_column(column).to_owned()).await?;
            }
        }
        if manager.has_index("session", "session_expires_at").await? {
            manager.drop_index(Index::drop().name("session_expires_at").table("session").to_owned()).await?;
        }
        index(manager, "session", "session_idle_expires_at", "idle_expires_at").await?;
        let audit_event = table(backend, "audit_event")
            .col(pk_uuid("id"))
            .col(big_integer("occurred_at"))
            .col(string_len("kind", 64))
            .col(uuid_null("user_id"))
            .col(uuid_null("session_id"))
            .col(string_len_null("address", 45))
            .to_owned();
        manager.create_table(audit_event).await?;
        index(manager, "audit_event", "audit_event_occurred_at", "occurred_at").await?;
        let job = table(backend, "job").col(string_len("name", 64).primary_key()).col(big_integer("due_at")).to_owned();
        manager.create_table(job).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["job", "audit_event"] {
            manager.drop_table(Table::drop().table(name).if_exists().to_owned()).await?;
        }
        if manager.has_index("session", "session_idle_expires_at").await? {
            manager.drop_index(Index::drop().name("session_idle_expires_at").table("session").to_owned()).await?;
        }
        index(manager, "session", "session_expires_at", "expires_at").await?;
        for (name, _) in session_columns() {
            if manager.has_column("session", name).await? {
                manager.alter_table(Table::alter().table("session").drop_column(name).to_owned()).await?;
            }
        }
        Ok(())
    }
}

/// A session that was opened without a refresh token has the digest of none, so that no token fits it.
fn session_columns() -> [(&'static str, ColumnDef); 3] {
    let digest = ColumnDef::new("secret_digest").var_binary(DIGEST).not_null().default(Vec::<u8>::new()).to_owned();
    [
        ("counter", big_integer("counter").default(0).to_owned()),
        ("rotated_at", big_integer("rotated_at").default(0).to_owned()),
        ("secret_digest", digest),
    ]
}
