//! The types of request and response bodies, and how they are parsed, validated and written.

pub(super) mod json_body;
mod problem;
mod problem_code;
mod problem_response;
mod strings;
mod validation;

pub(crate) use self::{
    json_body::Json,
    problem::{header_of, optional_header_of},
    problem_response::{IntoProblem, ProblemResponse, problem_code_of, problem_response_meta},
    strings::{
        CurrentPassword, IssuedAccessToken, IssuedRefreshToken, LoginIdentifier, NewPassword, PresentedRefreshToken,
        SessionIdString, TimestampString, UserIdString, Username,
    },
    validation::{RequestValidators, escape_pointer},
};
pub use self::{
    problem::{FieldError, MEDIA_TYPE, Problem},
    problem_code::ProblemCode,
    strings::CODE_PATTERN,
};
