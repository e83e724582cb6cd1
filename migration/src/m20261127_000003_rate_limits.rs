//! Rate limits, and the known networks of users.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, string_len, string_len_null, uuid},
};

use crate::tables::{PSEUDONYM, create_index, drop_tables, table};

/// Creates `rate_limit` and `known_network`.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let rate_limit = table(backend, "rate_limit")
            .col(string_len("subject", PSEUDONYM).primary_key())
            .col(big_integer("failures"))
            .col(big_integer("until"))
            .col(string_len_null("last_name", PSEUDONYM))
            .col(big_integer("expires_at"))
            .to_owned();
        manager.create_table(rate_limit).await?;
        create_index(manager, "rate_limit", "rate_limit_expires_at", "expires_at").await?;

        let known_network = table(backend, "known_network")
            .col(string_len("network", PSEUDONYM).primary_key())
            .col(uuid("user_id"))
            .col(big_integer("last_login_at"))
            .foreign_key(
                ForeignKey::create()
                    .from("known_network", "user_id")
                    .to("user", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(known_network).await?;
        create_index(manager, "known_network", "known_network_user_id", "user_id").await?;
        create_index(manager, "known_network", "known_network_last_login_at", "last_login_at").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["known_network", "rate_limit"]).await
    }
}
