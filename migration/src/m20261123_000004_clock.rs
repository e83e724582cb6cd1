//! What instances agree on about time.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, integer},
};

use crate::tables::table;

/// Creates `clock`.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let clock = table(manager.get_database_backend(), "clock")
            .col(integer("id").primary_key())
            .col(big_integer("ahead"))
            .to_owned();
        manager.create_table(clock).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("clock").if_exists().to_owned()).await
    }
}
