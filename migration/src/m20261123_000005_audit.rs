//! The audit trail: events in a chain, and where it begins and ends.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, integer, string_len, string_len_null, uuid_null},
};

use crate::tables::table;

/// Adds to `audit_event` what an event tells beside what it told, and creates `audit_head`.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

/// How long an HMAC-SHA-256 is, in bytes.
const MAC: u32 = 32;
const POSITION: &str = "audit_event_position";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, column) in columns() {
            if !manager.has_column("audit_event", name).await? {
                manager.alter_table(Table::alter().table("audit_event").add_column(column).to_owned()).await?;
            }
        }
        if !manager.has_index("audit_event", POSITION).await? {
            let position = Index::create().name(POSITION).table("audit_event").col("position").unique().to_owned();
            manager.create_index(position).await?;
        }
        let head = table(manager.get_database_backend(), "audit_head")
            .col(integer("id").primary_key())
            .col(big_integer("first_position"))
            .col(mac("first_mac").not_null())
            .col(big_integer("last_position"))
            .col(mac("last_mac").not_null())
            .col(big_integer("outside"))
            .col(mac("mac").not_null())
            .to_owned();
        manager.create_table(head).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("audit_head").if_exists().to_owned()).await?;
        if manager.has_index("audit_event", POSITION).await? {
            manager.drop_index(Index::drop().name(POSITION).table("audit_event").to_owned()).await?;
        }
        for (name, _) in columns() {
            if manager.has_column("audit_event", name).await? {
                manager.alter_table(Table::alter().table("audit_event").drop_column(name).to_owned()).await?;
            }
        }
        Ok(())
    }
}

/// What was an event before was of a client, and the refusal of a token.
fn columns() -> [(&'static str, ColumnDef); 6] {
    [
        ("position", big_integer_null("position")),
        ("actor", string_len("actor", 16).default("client").to_owned()),
        ("outcome", string_len("outcome", 16).default("failure").to_owned()),
        ("reason", string_len_null("reason", 32)),
        ("request_id", uuid_null("request_id")),
        ("mac", mac("mac")),
    ]
}

fn mac(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).var_binary(MAC).to_owned()
}
