//! The schema of Vestibule's database, as migrations in order.
//!
//! Tables and columns are named by string: a migration describes the schema of its day and must not change with the
//! entities. Steps may be repeated, because MySQL commits each DDL statement at once.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::{MigrationTrait, async_trait};

mod m20261123_000001_accounts;
mod m20261123_000002_refresh;
mod m20261123_000003_throttle;
mod m20261123_000004_clock;
mod m20261123_000005_audit;
mod tables;

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
