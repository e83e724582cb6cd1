//! Handwritten SQL: session settings, the migration lock, the database's clock, and copies of SQLite files.
//!
//! None of it contains client input. sea-orm builds every other statement from the entities.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, DbErr, Statement};
use sqlx::{AssertSqlSafe, Executor as _, MySqlConnection, PgConnection};
use uuid::Uuid;

/// The identifier of the migration lock: a number on PostgreSQL, a name on MySQL.
const MIGRATION_LOCK_NUMBER: i64 = 0x7665_7374_6962;
const MIGRATION_LOCK_NAME: &str = "vestibule_migration";

/// Limits how long the statements of a PostgreSQL connection wait for locks, and how long they run.
pub(super) async fn limit_postgres_statements(
    connection: &mut PgConnection,
    lock_timeout: Duration,
    statement_timeout: Duration,
) -> Result<(), sqlx::Error> {
    let (lock, statement) = (lock_timeout.as_millis(), statement_timeout.as_millis());
    let statement = AssertSqlSafe(format!("SET lock_timeout = {lock}; SET statement_timeout = {statement}"));
    connection.execute(statement).await.map(drop)
}

/// Limits how long the statements of a MySQL or MariaDB connection wait for locks. On MariaDB, also limits how long
/// they run.
pub(super) async fn limit_mysql_statements(
    connection: &mut MySqlConnection,
    lock_timeout: Duration,
    statement_timeout: Duration,
) -> Result<(), sqlx::Error> {
    let statement = AssertSqlSafe(mysql_limits(lock_timeout, statement_timeout));
    connection.execute(statement).await.map(drop)
}

/// Returns the statement that sets both limits. Only MariaDB reads the comment. There, zero seconds mean no limit.
fn mysql_limits(lock_timeout: Duration, statement_timeout: Duration) -> String {
    let (lock, statement) = (lock_timeout.as_secs(), statement_timeout.as_secs());
    format!("SET SESSION innodb_lock_wait_timeout = {lock} /*M!100100 , max_statement_time = {statement} */")
}

/// Waits for PostgreSQL's migration lock, then limits how long a migration waits for a table.
pub(super) async fn lock_postgres_migration(db: &DatabaseConnection, timeout: Duration) -> Result<(), DbErr> {
    let seconds = timeout.as_secs();
    db.execute_unprepared(&format!("SET lock_timeout = '{seconds}s'; SET statement_timeout = 0")).await?;
    db.execute_unprepared(&format!("SELECT pg_advisory_lock({MIGRATION_LOCK_NUMBER})")).await?;
    db.execute_unprepared("SET lock_timeout = '200ms'").await?;
    Ok(())
}

/// Waits for MySQL's migration lock, then makes a migration fail at once if a table is in use, because a statement that
/// waits for a table blocks all later ones.
pub(super) async fn lock_mysql_migration(db: &DatabaseConnection, timeout: Duration) -> Result<(), DbErr> {
    let seconds = timeout.as_secs();
    db.execute_unprepared(&mysql_limits(timeout, Duration::ZERO)).await?;

    let statement = format!("SELECT GET_LOCK('{MIGRATION_LOCK_NAME}', {seconds}) AS granted");
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), statement)).await?;
    let granted: Option<i64> = match row {
        Some(row) => row.try_get("", "granted")?,
        None => None,
    };
    if granted != Some(1) {
        let reason = format!(
            "another instance has held the migration lock for {seconds} seconds; wait until it has migrated, then retry"
        );
        return Err(DbErr::Migration(reason));
    }

    db.execute_unprepared("SET SESSION lock_wait_timeout = 1 /*M!100300 - 1 */").await?;
    Ok(())
}

/// Sets a variable of the PostgreSQL session that no setting uses.
pub(super) async fn mark_postgres_session(db: &DatabaseConnection, mark: Uuid) -> Result<(), DbErr> {
    db.execute_unprepared(&format!("SELECT set_config('vestibule.session', '{mark}', false)")).await.map(drop)
}

/// Returns whether [`mark_postgres_session`] has set the variable of this session to `mark`.
pub(super) async fn has_postgres_mark(db: &DatabaseConnection, mark: Uuid) -> Result<bool, DbErr> {
    let statement = format!("SELECT current_setting('vestibule.session', true) = '{mark}' AS marked");
    let row = db.query_one_raw(Statement::from_string(DatabaseBackend::Postgres, statement)).await?;
    // Null in a session that no one has marked.
    let marked: Option<bool> = row.map(|row| row.try_get("", "marked")).transpose()?.flatten();
    Ok(marked == Some(true))
}

/// Reads the database's clock, in microseconds since the epoch. Returns `None` on SQLite, which has no clock of its
/// own.
pub(super) async fn read_clock(db: &impl ConnectionTrait) -> Result<Option<i64>, DbErr> {
    let statement = match db.get_database_backend() {
        DatabaseBackend::Sqlite => return Ok(None),
        DatabaseBackend::Postgres => "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) AS micros",
        // In UTC, because a local time is ambiguous for an hour when daylight saving time ends.
        _ => "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) AS micros",
    };
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), statement)).await?;
    row.map(|row| row.try_get("", "micros")).transpose()
}

/// Reads the schema of an SQLite database, and so makes SQLite open all of its files.
pub(super) async fn read_sqlite_schema(db: &DatabaseConnection) -> Result<(), DbErr> {
    db.execute_unprepared("SELECT COUNT(*) FROM sqlite_schema").await.map(drop)
}

/// Writes a copy of an SQLite database to `target`, which must be an empty file.
pub(super) async fn copy_sqlite(db: &DatabaseConnection, target: &str) -> Result<(), DbErr> {
    let statement = Statement::from_sql_and_values(DatabaseBackend::Sqlite, "VACUUM INTO ?", [target.into()]);
    db.execute_raw(statement).await.map(drop)
}

/// Checks the structure of an SQLite database. Returns the first ten faults, or only `ok`.
pub(super) async fn check_sqlite(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let statement = Statement::from_string(DatabaseBackend::Sqlite, "PRAGMA integrity_check(10)");
    let rows = db.query_all_raw(statement).await?;
    rows.iter().map(|row| row.try_get("", "integrity_check")).collect()
}

/// Moves all changes of an SQLite database from the `-wal` file to the database.
pub(super) async fn empty_sqlite_wal(db: &DatabaseConnection) -> Result<(), DbErr> {
    db.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await.map(drop)
}
