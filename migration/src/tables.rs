//! Helpers for migrations: tables, columns and indexes that are the same on every database.

use sea_orm_migration::{
    prelude::{ColumnDef, DbErr, Index, SchemaManager, Table, TableCreateStatement},
    sea_orm::DatabaseBackend,
};

/// The length of a SHA-256 digest and of an HMAC-SHA-256, in bytes.
pub(crate) const DIGEST: u32 = 32;
/// The length of a pseudonym: an HMAC-SHA-256 in base64url.
pub(crate) const PSEUDONYM: u32 = 43;
/// The length of the longest textual IP address, in characters.
pub(crate) const IP_ADDRESS: u32 = 45;

/// Returns a table whose text columns are compared byte by byte on every database.
pub(crate) fn table(backend: DatabaseBackend, name: &'static str) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(name).if_not_exists();
    if backend == DatabaseBackend::MySql {
        table.character_set("utf8mb4").collate("utf8mb4_bin");
    }
    table
}

/// Returns a column for a digest.
pub(crate) fn digest(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).var_binary(DIGEST).to_owned()
}

/// Creates an index on one column, unless it exists.
pub(crate) async fn create_index(
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

/// Drops these tables, in this order.
pub(crate) async fn drop_tables(manager: &SchemaManager<'_>, tables: &[&'static str]) -> Result<(), DbErr> {
    for table in tables {
        manager.drop_table(Table::drop().table(*table).if_exists().to_owned()).await?;
    }
    Ok(())
}
