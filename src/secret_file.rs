//! Files that contain a secret: who may access them, and how they are read.

use std::{
    fs::{File, Metadata},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::process::geteuid;
use zeroize::Zeroizing;

/// The maximum size of a secret, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Why a file with a secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// The file cannot be read.
    #[error("{}: {error}; check the path and its permissions", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// Other users can access the file.
    #[error(
        "{}: other users can access the file (mode {mode:o}, owner {owner}); {}", .path.display(), mode_advice(*.owner)
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The user who owns it.
        owner: u32,
    },
    /// The file belongs to a user who is neither root nor the user of this process.
    #[error(
        "{}: the file belongs to the user {owner}; it must belong to root or to the user of this process: run \
         chown {} on it", .path.display(), geteuid()
    )]
    ForeignOwner {
        /// The file.
        path: PathBuf,
        /// The user who owns it.
        owner: u32,
    },
    /// The file is empty.
    #[error("{}: the file is empty; write the secret into it", .0.display())]
    Empty(PathBuf),
    /// The file is too large for a secret.
    #[error("{}: the file is larger than {} KiB; it must contain only the secret", .0.display(), MAX_BYTES / 1024)]
    TooLarge(PathBuf),
}

/// Says how to set the mode of a file. A file of root is mounted by a container runtime, where chmod has no effect.
fn mode_advice(owner: u32) -> String {
    let user = geteuid();
    if owner == user.as_raw() {
        "run chmod 600 on it".to_owned()
    } else {
        format!(
            "where it is mounted, set defaultMode: 0440 (Kubernetes), or uid: \"{user}\" and mode: 0400 (Docker Compose); \
             elsewhere, run chmod 640 on it"
        )
    }
}

/// Reads the secret in a file, without the line breaks at its end.
///
/// # Errors
/// Returns a [`SecretFileError`] if the file cannot be read, is empty, or has the wrong owner or mode.
pub fn read_secret_text(path: &Path) -> Result<Zeroizing<String>, SecretFileError> {
    let bytes = read_secret_bytes(path)?;
    let text = str::from_utf8(&bytes).map_err(|_| {
        let error = io::Error::new(io::ErrorKind::InvalidData, "the file is not UTF-8 text");
        SecretFileError::Read { path: path.to_owned(), error }
    })?;
    let text = trim_line_breaks(text);
    if text.trim().is_empty() { Err(SecretFileError::Empty(path.to_owned())) } else { Ok(text.to_owned().into()) }
}

/// Reads a file that contains a secret.
///
/// # Errors
/// Returns a [`SecretFileError`] if the file cannot be read, or has the wrong owner or mode.
pub fn read_secret_bytes(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    let failed = |error| SecretFileError::Read { path: path.to_owned(), error };
    let file = File::open(path).map_err(failed)?;
    check_access(path, &file.metadata().map_err(failed)?)?;

    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_BYTES.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES { Err(SecretFileError::TooLarge(path.to_owned())) } else { Ok(bytes) }
}

/// Removes the line breaks at the end of a secret, which editors and `echo` append.
pub fn trim_line_breaks(secret: &str) -> &str {
    secret.trim_end_matches(['\n', '\r'])
}

/// Checks the rule of PostgreSQL for private keys: mode 0600 or stricter if the file belongs to the user of this
/// process, 0640 or stricter if it belongs to root. Kubernetes mounts secrets for a group (`fsGroup`) in the second way.
fn check_access(path: &Path, metadata: &Metadata) -> Result<(), SecretFileError> {
    let (owner, mode) = (metadata.uid(), metadata.permissions().mode() & 0o777);
    let forbidden = match owner {
        owner if owner == geteuid().as_raw() => 0o077,
        0 => 0o037,
        owner => return Err(SecretFileError::ForeignOwner { path: path.to_owned(), owner }),
    };
    if mode & forbidden == 0 { Ok(()) } else { Err(SecretFileError::Exposed { path: path.to_owned(), mode, owner }) }
}
