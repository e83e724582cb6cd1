//! The schema of Vestibule's database, as migrations in order.
//!
//! Tables and columns are named by string: a migration describes the schema of its day and must not change with the
//! entities. Steps may be repeated, because MySQL commits each DDL statement at once.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::{
    MigrationTrait, async_trait,
    prelude::{Table, TableCreateStatement},
    sea_orm::DatabaseBackend,
};

mod m20261123_000001_accounts;
mod m20261123_000002_refresh;

/// Brings a database to the schema of this build.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m20261123_000001_accounts::Migration), Box::new(m20261123_000002_refresh::Migration)]
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
