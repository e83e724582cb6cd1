//! The error that all use cases share: a failure outside the rules of the use case.

use std::{error::Error, time::Duration};

type BoxedError = Box<dyn Error + Send + Sync>;

/// Why a use case fails for a reason outside its own rules.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The client made too many requests. The same request may succeed later. Clients receive the problem
    /// `too_many_requests` with status 429.
    #[error("too many requests; retry in {} seconds", retry_after.as_secs())]
    RateLimited {
        /// How long the client must wait.
        retry_after: Duration,
    },
    /// The hash queue is full, or hashing took too long. The same request may succeed later. Clients receive the
    /// problem `busy` with status 503.
    #[error("the queue of the password hasher is full or too slow")]
    Busy {
        /// How long the client should wait before it retries.
        retry_after: Duration,
    },
    /// The database is unavailable, or every attempt conflicted with other transactions.
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
    /// Returns the error of a defect. `context` says what the service was doing.
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
