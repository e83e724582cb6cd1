//! The error that every use case shares: the service cannot do the work, for a reason outside the use case's rules.

use std::{error::Error, time::Duration};

type BoxedError = Box<dyn Error + Send + Sync>;

/// Why the service cannot do a piece of work, apart from the rules of the use case.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The client made too many requests. The same request succeeds later. Clients receive the problem
    /// `too_many_requests` with status 429.
    #[error("too many requests; retry in {} seconds", retry_after.as_secs())]
    RateLimited {
        /// How long the client has to wait.
        retry_after: Duration,
    },
    /// Too many passwords are waiting to be hashed. The same request may succeed later. Clients receive the problem `busy`
    /// with status 503 (`src/api/schema/problem_code.rs`).
    #[error("the queue of the password hasher is full or too slow")]
    Busy {
        /// After how long a retry makes sense.
        retry_after: Duration,
    },
    /// The database cannot be used now, or other writers caused a conflict in every attempt.
    #[error("{context}: the database is unavailable")]
    Unavailable {
        /// What the service was doing.
        context: &'static str,
        /// The database's error.
        source: BoxedError,
    },
    /// A defect in the service, or damaged data.
    #[error("{context}")]
    Internal {
        /// What the service was doing.
        context: &'static str,
        /// The cause.
        source: BoxedError,
    },
}

impl ServiceError {
    /// Returns a defect found while doing what `context` says.
    pub fn internal(context: &'static str, source: impl Into<BoxedError>) -> Self {
        Self::Internal { context, source: source.into() }
    }

    /// Returns the error and all its causes on one line, for the log.
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
