//! The schema of Vestibule's database, as migrations in order.
//!
//! Tables and columns are named by strings, because a migration describes the schema of its time and must not change
//! with the entities. Each step can be repeated, because MySQL commits every DDL statement immediately.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::{MigrationTrait, async_trait};

mod m20261127_000001_users;
mod m20261127_000002_sessions;
mod m20261127_000003_rate_limits;
mod m20261127_000004_audit_log;
mod m20261127_000005_jobs;
mod tables;

/// The migrator, which brings a database to the schema of this build.
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
