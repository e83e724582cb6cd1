//! The types of request and response bodies, and how they are read, checked and written.

mod field_error;
pub(super) mod json_body;
mod problem;
mod problem_code;
mod problem_response;
mod scalars;
mod service_problem;
mod string_type;
mod validation;

pub use self::{
    field_error::FieldError,
    problem::{MEDIA_TYPE, Problem},
    problem_code::{CODE_PATTERN, ProblemCode, ProblemHeader},
};
pub(crate) use self::{
    json_body::Json,
    problem_response::{IntoProblem, ProblemResponse, problem_code_of, problem_meta},
    scalars::{
        CurrentPassword, IssuedAccessToken, IssuedRefreshToken, LoginIdentifier, NewPassword, PresentedRefreshToken,
        SessionIdString, TimestampString, UserIdString, Username,
    },
    validation::{RequestValidators, close_objects},
};
