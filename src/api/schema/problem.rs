//! Problems: every error that the service sends, as an RFC 9457 document.

use std::time::Duration;

use poem::{
    Response,
    error::ResponseError,
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use poem_openapi::{Object, types::ToJSON};

use super::{problem_code::ProblemCode, strings::CodeString};
use crate::domain::password::Weakness;

/// The media type of problems.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// The minimum and default of `Retry-After`, in seconds.
const MIN_RETRY_AFTER: u64 = 1;
/// The only content coding of request bodies.
const ACCEPT_ENCODING: HeaderValue = HeaderValue::from_static("identity");
/// The challenge of RFC 6750 section 3, for a missing token and for invalid credentials.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"vestibule\"");
/// The challenge for an invalid token.
const CHALLENGE_INVALID: HeaderValue = HeaderValue::from_static("Bearer realm=\"vestibule\", error=\"invalid_token\"");

/// An error (RFC 9457).
#[derive(Debug, Object)]
#[oai(rename = "Problem", skip_serializing_if_is_none)]
pub(super) struct ProblemBody {
    /// The URI of the problem type: `urn:vestibule:problem:` and the code.
    #[oai(rename = "type")]
    kind: String,
    /// A short summary of the problem type. It depends only on the code.
    title: String,
    /// The HTTP status of the response.
    #[oai(validator(minimum(value = "400"), maximum(value = "599")))]
    status: i32,
    /// What went wrong and what to do, for people.
    detail: String,
    /// The problem code, for programs. Later versions may add codes: handle an unknown code by its status.
    code: CodeString,
    /// The same text as `detail`, for clients that expect this field.
    message: String,
    /// The identifier of the request. Quote it when you report the problem to the operator.
    request_id: String,
    /// The errors in fields of the request body. Absent if the problem is not about single fields.
    errors: Option<Vec<FieldError>>,
}

/// An error in one field of the request body.
#[derive(Clone, Debug, Object)]
#[oai(rename = "FieldError")]
pub struct FieldError {
    /// The field, as a JSON pointer (RFC 6901) into the request body.
    pointer: String,
    /// The error code, for programs.
    code: CodeString,
    /// What is wrong with the field, for people.
    detail: String,
}

impl FieldError {
    pub(crate) fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code: CodeString(code), detail: detail.into() }
    }

    /// Returns the field error of a new password that breaks the password policy.
    pub(crate) fn weak_password(pointer: &str, weakness: Weakness) -> Self {
        let code = match weakness {
            Weakness::TooShort(_) => "too_short",
            Weakness::TooLong => "too_long",
            Weakness::Common => "common",
            Weakness::SameAsName => "same_as_username",
        };
        Self::new(pointer, code, weakness.to_string())
    }
}

/// An error that is sent to a client. The server adds the request identifier and writes the response.
#[derive(Debug, thiserror::Error)]
#[error("{}", code.as_str())]
pub struct Problem {
    code: ProblemCode,
    detail: Option<String>,
    errors: Vec<FieldError>,
    retry_after: u64,
    /// Whether the cause is a content coding.
    is_about_coding: bool,
    cause: Option<String>,
}

impl Problem {
    /// Creates the problem with this code.
    pub const fn new(code: ProblemCode) -> Self {
        Self {
            code,
            detail: None,
            errors: Vec::new(),
            retry_after: MIN_RETRY_AFTER,
            is_about_coding: false,
            cause: None,
        }
    }

    /// Creates the problem of a compressed request body.
    pub(super) fn unsupported_content_coding() -> Self {
        let detail = "The request body has a content coding, such as gzip. Send it without compression and without the \
                      header Content-Encoding.";
        Self { is_about_coding: true, ..Self::new(ProblemCode::UnsupportedMediaType).with_detail(detail) }
    }

    /// Creates an internal error. The cause is logged and not sent to the client.
    pub fn internal(cause: impl Into<String>) -> Self {
        Self::new(ProblemCode::Internal).with_cause(cause)
    }

    /// Converts any error that a route returns into a problem. Messages of poem name Rust types and repeat parts of the
    /// request, so only the status of such an error is used.
    pub fn from_error(error: poem::Error) -> Self {
        let status = error.status();
        match error.downcast::<Self>() {
            Ok(problem) => problem,
            Err(_) if status == StatusCode::METHOD_NOT_ALLOWED => Self::new(ProblemCode::MethodNotAllowed),
            Err(_) if status.is_client_error() => Self::new(ProblemCode::NotFound),
            Err(error) => Self::internal(error.to_string()),
        }
    }

    /// Sets the detail of this occurrence.
    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// Sets the field errors.
    pub fn with_errors(self, errors: impl Into<Vec<FieldError>>) -> Self {
        Self { errors: errors.into(), ..self }
    }

    /// Sets `Retry-After`. The time is rounded up to whole seconds, so that a client that waits for it is not rejected
    /// again.
    pub fn with_retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
        Self { retry_after: seconds.max(MIN_RETRY_AFTER), ..self }
    }

    /// Sets the cause, which is logged and not sent to the client.
    pub fn with_cause(self, cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    /// Returns the code.
    pub const fn code(&self) -> ProblemCode {
        self.code
    }

    /// Returns the cause for the log.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// Returns the response to the request with this identifier.
    pub fn to_response(&self, request_id: &str) -> Response {
        let status = self.code.status();
        let body = self.to_body(request_id).to_json_string();
        let mut response = Response::builder().status(status).content_type(MEDIA_TYPE).body(body);

        if let Some(name) = header_of(status) {
            let value = match self.code {
                ProblemCode::InvalidToken => CHALLENGE_INVALID,
                _ if name == header::WWW_AUTHENTICATE => CHALLENGE,
                _ => HeaderValue::from(self.retry_after),
            };
            response.headers_mut().insert(name, value);
        }
        // RFC 9110 section 12.5.3 forbids this header in a response about the media type.
        if self.is_about_coding {
            response.headers_mut().insert(header::ACCEPT_ENCODING, ACCEPT_ENCODING);
        }
        response
    }

    fn to_body(&self, request_id: &str) -> ProblemBody {
        let detail = self.detail.as_deref().unwrap_or_else(|| self.code.detail());
        ProblemBody {
            kind: format!("urn:vestibule:problem:{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status: self.code.status().as_u16().into(),
            detail: detail.to_owned(),
            code: CodeString(self.code.as_str()),
            message: detail.to_owned(),
            request_id: request_id.to_owned(),
            errors: (!self.errors.is_empty()).then(|| self.errors.clone()),
        }
    }
}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.code.status()
    }
}

/// Returns the header that problems with this status can have in addition to `header_of`.
pub(crate) const fn optional_header_of(status: StatusCode) -> Option<HeaderName> {
    match status {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Some(header::ACCEPT_ENCODING),
        _ => None,
    }
}

/// Returns the header that problems with this status have in addition to the headers of every response.
pub(crate) const fn header_of(status: StatusCode) -> Option<HeaderName> {
    match status {
        StatusCode::UNAUTHORIZED => Some(header::WWW_AUTHENTICATE),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Some(header::RETRY_AFTER),
        _ => None,
    }
}
