//! Periodic jobs that one instance runs for all.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, string_len},
};

use crate::tables::{drop_tables, table};

/// Creates `job`.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let job = table(manager.get_database_backend(), "job")
            .col(string_len("name", 64).primary_key())
            .col(big_integer("due_at"))
            .to_owned();
        manager.create_table(job).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["job"]).await
    }
}
