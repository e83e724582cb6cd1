//! Throttles, and the devices that an account is known to sign in from.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, string_len, string_len_null, uuid},
};

use crate::tables::{index, table};

/// Creates `throttle` and `known_device`, and adds the throttle of refreshes to `session`.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

/// How many characters a keyed hash has in base64url.
const HASH: u32 = 43;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let throttle = table(backend, "throttle")
            .col(string_len("subject", HASH).primary_key())
            .col(big_integer("failures"))
            .col(big_integer("until"))
            .col(string_len_null("last", HASH))
            .col(big_integer("expires_at"))
            .to_owned();
        manager.create_table(throttle).await?;
        index(manager, "throttle", "throttle_expires_at", "expires_at").await?;
        let known_device = table(backend, "known_device")
            .col(string_len("device", HASH).primary_key())
            .col(uuid("user_id"))
            .col(big_integer("last_login_at"))
            .foreign_key(
                ForeignKey::create()
                    .from("known_device", "user_id")
                    .to("user", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(known_device).await?;
        index(manager, "known_device", "known_device_user_id", "user_id").await?;
        index(manager, "known_device", "known_device_last_login_at", "last_login_at").await?;
        if !manager.has_column("session", "refreshes_until").await? {
            let column = big_integer("refreshes_until").default(0).to_owned();
            manager.alter_table(Table::alter().table("session").add_column(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["known_device", "throttle"] {
            manager.drop_table(Table::drop().table(name).if_exists().to_owned()).await?;
        }
        if manager.has_column("session", "refreshes_until").await? {
            manager.alter_table(Table::alter().table("session").drop_column("refreshes_until").to_owned()).await?;
        }
        Ok(())
    }
}
