//! Failures of the parts underneath: none is the caller's doing.

use std::{error::Error, time::Duration};

use sea_orm::{DbErr, SqlErr};

use super::transaction::{is_conflict, is_unavailable};

/// What went wrong underneath a rule.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Too much work is waiting already; a later try may be served.
    #[error("the queue of passwords to be hashed is full or too slow")]
    Busy {
        /// After how long a new try makes sense.
        retry_after: Duration,
    },
    /// The database cannot be reached now, or other writers stood in the way again and again.
    #[error("{doing}: the database is unavailable")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// The database's own error.
        source: DbErr,
    },
    /// A defect, or damage to what is stored.
    #[error("{doing}")]
    Internal {
        /// What was being done.
        doing: &'static str,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl Fault {
    /// A defect met while `doing` something.
    pub fn internal(doing: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Internal { doing, source: source.into() }
    }

    /// The whole chain of causes on one line, for the log.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

/// Adds what was being done to a database error.
pub(crate) trait Doing<T> {
    /// Turns the error into a [`Fault`].
    fn doing(self, what: &'static str) -> Result<T, Fault>;
}

impl<T> Doing<T> for Result<T, DbErr> {
    fn doing(self, what: &'static str) -> Result<T, Fault> {
        self.map_err(|source| match source {
            source if is_unavailable(&source) || is_conflict(&source) => Fault::Unavailable { doing: what, source },
            other => Fault::internal(what, other),
        })
    }
}

/// Whether a write was refused because a unique value exists already.
pub(crate) fn is_unique_violation(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}
