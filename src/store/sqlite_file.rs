//! The files of an SQLite database: whether they are still the ones that the service has opened, and copies of them.
//!
//! SQLite keeps writing to a file that was moved, deleted or replaced. Nobody will open that file again, so everything
//! that was written to it would be lost at the next start.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use sea_orm::{DatabaseConnection, DbErr, RuntimeErr};
use secrecy::SecretString;

use super::{
    connect::{connect, connect_options, open},
    sql,
};

/// The endings of the files that SQLite keeps next to the database in WAL mode.
pub const COMPANIONS: [&str; 2] = ["-wal", "-shm"];

/// The file that a path leads to: its device and inode.
type FileId = (u64, u64);

/// The open files of an SQLite database.
#[derive(Clone, Debug)]
pub(super) struct OpenFiles(Vec<(PathBuf, FileId)>);

impl OpenFiles {
    /// Opens the database at `url` and notes its files. While the returned connection is open, SQLite keeps all of them,
    /// and other processes can see that the database is in use.
    pub(super) async fn open(url: &SecretString, path: &Path) -> Result<(Self, DatabaseConnection), DbErr> {
        let before = identify(path)?;
        let connection = open(connect_options(url, 1)).await?;
        // SQLite creates the other files when it reads the schema.
        sql::read_sqlite_schema(&connection).await?;

        // SQLite follows symbolic links to find the place of the other files.
        let target = fs::canonicalize(path).map_err(|error| unreadable(path, &error))?;
        let mut files = vec![(path.to_owned(), before)];
        for ending in COMPANIONS {
            let companion = companion(&target, ending);
            let id = identify(&companion)?;
            files.push((companion, id));
        }
        Ok((Self(files), connection))
    }

    /// Checks that each path still leads to the file that was opened.
    ///
    /// # Errors
    /// Returns [`DbErr::Conn`] if a file was moved, deleted or replaced.
    pub(super) fn check(&self) -> Result<(), DbErr> {
        for (path, id) in &self.0 {
            if identify(path)? != *id {
                return Err(moved(path, "another file is in its place"));
            }
        }
        Ok(())
    }
}

/// Returns the URL of an SQLite file. SQLite would take a relative path for a URL of its own if it began with `file:`.
pub fn sqlite_url(path: &Path) -> Result<SecretString, io::Error> {
    let path = std::path::absolute(path)?;
    let text = path.to_str().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path is not UTF-8"))?;
    Ok(format!("sqlite://{}", text.replace('%', "%25").replace('?', "%3F")).into())
}

/// Writes a consistent copy of the SQLite database at `url` to `target`, which must be an empty file. The database may
/// be in use.
///
/// # Errors
/// Returns a [`DbErr`] if the database or the copy cannot be used.
pub async fn copy_database(url: &SecretString, target: &str) -> Result<(), DbErr> {
    let db = connect(url, 1).await?;
    sql::copy_sqlite(&db, target).await?;
    db.close().await
}

/// Checks the structure of the SQLite database at `url`. Returns the first faults, one in a line, or `None`.
///
/// # Errors
/// Returns a [`DbErr`] if the file is not an SQLite database.
pub async fn find_damage(url: &SecretString) -> Result<Option<String>, DbErr> {
    let db = connect(url, 1).await?;
    let faults = sql::check_sqlite(&db).await?;
    db.close().await?;
    Ok((faults != ["ok"]).then(|| faults.join("\n")))
}

/// Moves all changes of the SQLite database at `url` from the `-wal` file to the database.
///
/// # Errors
/// Returns a [`DbErr`] if the database cannot be used.
pub async fn checkpoint(url: &SecretString) -> Result<(), DbErr> {
    let db = connect(url, 1).await?;
    sql::empty_sqlite_wal(&db).await?;
    db.close().await
}

/// Returns the path of a file that SQLite keeps next to the database.
pub fn companion(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn identify(path: &Path) -> Result<FileId, DbErr> {
    match fs::metadata(path) {
        Ok(metadata) => Ok((metadata.dev(), metadata.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(moved(path, "it does not exist")),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn moved(path: &Path, what: &str) -> DbErr {
    connection_error(format!(
        "{}: the file was moved, deleted or replaced while the database was open ({what}); put the same file back, \
         or stop the server and restore a backup with `vestibule restore`",
        path.display()
    ))
}

fn unreadable(path: &Path, error: &io::Error) -> DbErr {
    connection_error(format!("{}: {error}", path.display()))
}

const fn connection_error(reason: String) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(reason))
}
