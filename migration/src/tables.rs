//! Parts that several migrations use.

use sea_orm_migration::{
    prelude::{DbErr, Index, SchemaManager, Table, TableCreateStatement},
    sea_orm::DatabaseBackend,
};

/// A table whose text compares byte by byte on every database.
pub(crate) fn table(backend: DatabaseBackend, name: &'static str) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(name).if_not_exists();
    if backend == DatabaseBackend::MySql {
        table.character_set("utf8mb4").collate("utf8mb4_bin");
    }
    table
}

/// An index over one column, unless it is there.
pub(crate) async fn index(
    manager: &SchemaManager<'_>,
    table: &'static str,
    name: &'static str,
    column: &'static str,
) -> Result<(), DbErr> {
    if manager.has_index(table, name).await? {
        return Ok(());
    }
    manager.create_index(Index::create().name(name).table(table).col(column).to_owned()).await
}
