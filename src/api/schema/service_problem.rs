//! The problems of the error that every use case shares.

use super::{problem::Problem, problem_code::ProblemCode, problem_response::IntoProblem};
use crate::error::ServiceError;

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        let cause = error.chain();
        match error {
            ServiceError::RateLimited { retry_after } => {
                Self::new(ProblemCode::TooManyRequests).with_retry_after(retry_after)
            }
            ServiceError::Busy { retry_after } => {
                Self::new(ProblemCode::Busy).with_retry_after(retry_after).with_cause(cause)
            }
            ServiceError::Unavailable { .. } => Self::new(ProblemCode::Unavailable).with_cause(cause),
            ServiceError::Internal { .. } => Self::internal(cause),
        }
    }
}

/// For operations without errors of their own. None of them hashes a password or has a rate limit.
impl IntoProblem for ServiceError {
    const CODES: &'static [ProblemCode] = &[ProblemCode::Unavailable];
}
