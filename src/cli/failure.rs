//! Failures of commands, and their exit codes.

use std::{fmt, io};

use vestibule::{
    api::document::DocumentError,
    config::ConfigError,
    domain::{admin::users::ChangeUserError, name::InvalidName, user::CreateUserError},
    error::ServiceError,
    startup::{BackupError, StartError},
};

/// The failure of a command: its message and exit code.
pub(super) struct Failure {
    /// The exit code.
    pub(super) code: u8,
    /// The message on standard error.
    pub(super) reason: String,
}

impl Failure {
    pub(super) const FAILED: u8 = 1;
    pub(super) const NO_SUCH_USER: u8 = 3;
    pub(super) const TAKEN: u8 = 4;
    pub(super) const REJECTED: u8 = 5;
    pub(super) const UNUSABLE: u8 = 6;
    pub(super) const TAMPERED: u8 = 7;

    pub(super) fn new(code: u8, reason: impl fmt::Display) -> Self {
        Self { code, reason: reason.to_string() }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(Self::FAILED, error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Self::UNUSABLE, format_args!("configuration: {error}"))
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let code = match error {
            StartError::Service(error) => return error.into(),
            StartError::Database { .. } | StartError::File { .. } => Self::FAILED,
            StartError::MasterKey { .. }
            | StartError::NoMasterKey
            | StartError::NoKeyFile(_)
            | StartError::LostMasterKey(_)
            | StartError::KeyFile(_)
            | StartError::Traces(_)
            | StartError::LostKey(_)
            | StartError::LostAuditHead
            | StartError::Tls(_)
            | StartError::NoDatabase(_)
            | StartError::LostDatabase(..)
            | StartError::SharedSessions { .. }
            | StartError::NewerSchema { .. }
            | StartError::Keyring(_) => Self::UNUSABLE,
        };
        Self::new(code, error)
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        let code = match error {
            BackupError::Start(error) => return error.into(),
            BackupError::Exists(_) | BackupError::InUse(_) | BackupError::Same(_) | BackupError::Damaged { .. } => {
                Self::FAILED
            }
            BackupError::Network(..) | BackupError::NoKeys(_) => Self::UNUSABLE,
            BackupError::Tampered { .. } => Self::TAMPERED,
        };
        Self::new(code, error)
    }
}

impl From<&DocumentError> for Failure {
    fn from(error: &DocumentError) -> Self {
        Self::new(Self::FAILED, format_args!("cannot derive the OpenAPI document: {error}"))
    }
}

impl From<InvalidName> for Failure {
    fn from(error: InvalidName) -> Self {
        Self::new(Self::REJECTED, format_args!("the username {error}"))
    }
}

impl From<CreateUserError> for Failure {
    fn from(error: CreateUserError) -> Self {
        match error {
            CreateUserError::UsernameTaken => Self::new(Self::TAKEN, error),
            CreateUserError::PasswordRejected(_) => Self::new(Self::REJECTED, error),
            CreateUserError::Service(error) => error.into(),
        }
    }
}

impl From<ChangeUserError> for Failure {
    fn from(error: ChangeUserError) -> Self {
        match error {
            ChangeUserError::NotFound => Self::new(Self::NO_SUCH_USER, error),
            ChangeUserError::PasswordRejected(_) => Self::new(Self::REJECTED, error),
            ChangeUserError::Service(error) => error.into(),
        }
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        Self::new(Self::FAILED, error.chain())
    }
}
