//! The schema of Vestibule's database, as migrations in order.
//!
//! Tables and columns are named by strings: a migration describes the schema of its day, and must not change with the
//! entities. Each step can be repeated, because MySQL commits every DDL statement at once.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::{
    MigrationTrait, async_trait,
    prelude::{ColumnDef, DbErr, Index, SchemaManager, Table, TableCreateStatement},
    sea_orm::DatabaseBackend,
};

mod m20261127_000001_users;
mod m20261127_000002_sessions;
mod m20261127_000003_rate_limits;
mod m20261127_000004_audit_log;
mod m20261127_000005_jobs;

/// Brings a database to the schema of this build.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261127_000001_users::Migration),
            Box::new(m20261127_000002_sessions::Migration),
            Box::new(m20261127_000003_rate_limits::Migration),
            Box::new(m20261127_000004_audit_log::Migration),
            Box::new(m20261127_000005_jobs::Migration),
        ]
    }
}

/// The length of a SHA-256 digest and of an HMAC-SHA-256, in bytes.
const DIGEST: u32 = 32;
/// The length of a pseudonym: an HMAC-SHA-256 in base64url.
const PSEUDONYM: u32 = 43;
/// The length of the longest IP address.
const IP_ADDRESS: u32 = 45;

/// Returns a table whose text compares byte by byte on every database.
fn table(backend: DatabaseBackend, name: &'static str) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(name).if_not_exists();
    if backend == DatabaseBackend::MySql {
        table.character_set("utf8mb4").collate("utf8mb4_bin");
    }
    table
}

/// Returns a column for a digest.
fn digest(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).var_binary(DIGEST).to_owned()
}

/// Creates an index over one column, unless it exists.
async fn create_index(
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
async fn drop_tables(manager: &SchemaManager<'_>, tables: &[&'static str]) -> Result<(), DbErr> {
    for table in tables {
        manager.drop_table(Table::drop().table(*table).if_exists().to_owned()).await?;
    }
    Ok(())
}
