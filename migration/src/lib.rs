//! The schema of Vestibule's database, as migrations in order.
//!
//! Tables and columns are named by string: a migration describes the schema of its day and must not change with the
//! entities. Steps may be repeated, because MySQL commits each DDL statement at once.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::{
    MigrationTrait, async_trait,
    prelude::{DbErr, Index, SchemaManager, Table, TableCreateStatement},
    sea_orm::DatabaseBackend,
};

mod m20261123_000001_accounts;
mod m20261123_000002_refresh;
mod m20261123_000003_throttle;
mod m20261123_000004_clock;
mod m20261123_000005_audit;

/// Brings a database to the schema of this build.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_000001_accounts::Migration),
            Box::new(m20261123_000002_refresh::Migration),
            Box::new(m20261123_000003_throttle::Migration),
            Box::new(m20261123_000004_clock::Migration),
            Box::new(m20261123_000005_audit::Migration),
        ]
    }
}

/// A table whose text compares byte by byte on every database.
fn table(backend: DatabaseBackend, name: &'static str) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(name).if_not_exists();
    if backend == DatabaseBackend::MySql {
        table.character_set("utf8mb4").collate("utf8mb4_bin");
    }
    table
}

/// An index over one column, unless it is there.
async fn index(
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
