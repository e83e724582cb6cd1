//! The problems of errors that many operations share: rate limits, a full hash queue, the database.

use super::{problem::Problem, problem_code::ProblemCode, problem_response::IntoProblem};
use crate::domain::{fault::Fault, throttle::Throttled};

impl From<Throttled> for Problem {
    fn from(throttled: Throttled) -> Self {
        Self::new(ProblemCode::TooManyRequests).with_retry_after(throttled.retry_after)
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let cause = fault.chain();
        match fault {
            Fault::Busy { retry_after } => Self::new(ProblemCode::Busy).with_retry_after(retry_after).with_cause(cause),
            Fault::Unavailable { .. } => Self::new(ProblemCode::Unavailable).with_cause(cause),
            Fault::Internal { .. } => Self::internal(cause),
        }
    }
}

/// For operations that have no errors of their own; none of them hashes a password or has a rate limit.
impl IntoProblem for Fault {
    const CODES: &'static [ProblemCode] = &[ProblemCode::Unavailable];
}
