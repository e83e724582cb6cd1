//! Problems: every error of the service, as RFC 9457 documents.

use std::time::Duration;

use poem::{
    Error, Response,
    error::ResponseError,
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use poem_openapi::{Object, types::ToJSON};

use crate::error::ServiceError;

/// The media type of problems.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// The form of every code.
pub const CODE_PATTERN: &str = "^[a-z][a-z0-9_]*$";
/// The challenge of RFC 6750 section 3, for requests without a token and for refused passwords.
const CHALLENGE: &str = "Bearer realm=\"vestibule\"";
/// The same for a token that was presented and is not accepted.
const CHALLENGE_INVALID: &str = "Bearer realm=\"vestibule\", error=\"invalid_token\"";
/// How many seconds a client waits before it tries again, unless the cause knows better.
const RETRY_AFTER: u64 = 1;

macro_rules! codes {
    ($($variant:ident = $code:literal, $status:ident, $title:literal, $detail:literal;)*) => {
        /// What went wrong, as clients branch on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ProblemCode {
            $(#[doc = $title] $variant,)*
        }

        impl ProblemCode {
            /// Every code, in the order of the statuses.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as it is sent.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The status with which it is sent.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// What it means, the same in every occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// What to tell the person, unless the occurrence says more.
            #[must_use]
            pub const fn detail(self) -> &'static str {
                match self { $(Self::$variant => $detail,)* }
            }
        }
    };
}

codes! {
    BadFraming = "bad_framing", BAD_REQUEST, "The request is not framed as HTTP requires",
        "The head must name one host and say in one way how long the body is, and the body must be so (RFC 9112).";
    MalformedRequest = "malformed_request", BAD_REQUEST, "The body is not readable JSON",
        "The body must be one JSON object in UTF-8, without repeated members.";
    InvalidRequest = "invalid_request", BAD_REQUEST, "The request does not match its schema",
        "Some members of the body are missing, unknown or not as the schema says; see errors.";
    InvalidCredentials = "invalid_credentials", UNAUTHORIZED, "The credentials are not accepted",
        "Invalid username or password";
    MissingToken = "missing_token", UNAUTHORIZED, "An access token is needed",
        "Send the access token of a login in the header Authorization: Bearer.";
    InvalidToken = "invalid_token", UNAUTHORIZED, "The token is not accepted",
        "The token is not valid, has expired, or its session has ended. Sign in again.";
    RegistrationClosed = "registration_closed", FORBIDDEN, "Registration is closed",
        "Accounts are made by an operator here.";
    NotFound = "not_found", NOT_FOUND, "There is nothing here",
        "Nothing has this path, or it is not yours.";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The method is not allowed here",
        "The header Allow lists the methods of this path.";
    UsernameTaken = "username_taken", CONFLICT, "The user name is taken",
        "This user name, in this or another spelling, cannot be registered. Choose another one.";
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large",
        "The body is larger than any request of this service.";
    UriTooLong = "uri_too_long", URI_TOO_LONG, "The URL is too long",
        "The URL is longer than any of this service.";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The media type is not supported",
        "Send the body as Content-Type: application/json, in UTF-8.";
    PasswordRejected = "password_rejected", UNPROCESSABLE_ENTITY, "The password cannot be used",
        "Choose another password; errors says why.";
    TooManyRequests = "too_many_requests", TOO_MANY_REQUESTS, "There were too many requests",
        "There were too many tries. Try again after Retry-After seconds.";
    HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too large",
        "The request has more headers, or larger ones, than this service reads.";
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something went wrong",
        "The service failed; its log tells the operator more under this request_id.";
    Busy = "busy", SERVICE_UNAVAILABLE, "The service is busy",
        "Too many passwords are being checked at this moment. Try again after Retry-After seconds.";
    NotReady = "not_ready", SERVICE_UNAVAILABLE, "The service is not ready",
        "Requests should go to another instance. Try again after Retry-After seconds.";
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "The service is unavailable",
        "The service's database cannot be used now. What was asked for may have been done or not; it is safe to try \
         again after Retry-After seconds.";
    TimedOut = "timed_out", SERVICE_UNAVAILABLE, "The request took too long",
        "The request was not finished in time. Try again after Retry-After seconds.";
}

impl ProblemCode {
    /// The `type` member: a name, not a place.
    #[must_use]
    pub fn urn(self) -> String {
        format!("urn:vestibule:problem:{}", self.as_str())
    }

    /// The header that answers with this code carry beside the usual ones: its name and an example.
    #[must_use]
    pub const fn header(self) -> Option<(HeaderName, &'static str)> {
        match self {
            Self::InvalidToken => Some((header::WWW_AUTHENTICATE, CHALLENGE_INVALID)),
            Self::InvalidCredentials | Self::MissingToken => Some((header::WWW_AUTHENTICATE, CHALLENGE)),
            Self::TooManyRequests | Self::Busy | Self::NotReady | Self::Unavailable | Self::TimedOut => {
                Some((header::RETRY_AFTER, "1"))
            }
            _ => None,
        }
    }
}

/// One thing that is wrong with the body.
#[derive(Clone, Debug, PartialEq, Eq, Object)]
#[oai(rename = "FieldError")]
pub struct FieldError {
    /// Where: a JSON pointer (RFC 6901) into the body.
    pub pointer: String,
    /// What, in one word.
    #[oai(validator(pattern = "^[a-z][a-z0-9_]*$"))]
    pub code: String,
    /// What, for people.
    pub detail: String,
}

/// An error (RFC 9457).
#[derive(Debug, Object)]
#[oai(rename = "Problem", skip_serializing_if_is_none)]
pub(crate) struct ProblemBody {
    /// Names the kind of problem: `urn:vestibule:problem:` and the code.
    #[oai(rename = "type")]
    kind: String,
    /// What the code means.
    title: String,
    /// The status of the answer.
    #[oai(validator(minimum(value = "400"), maximum(value = "599")))]
    status: i32,
    /// What went wrong and what to do, for people.
    detail: String,
    /// What went wrong, for programs. More values may come; treat an unknown one by its status.
    #[oai(validator(pattern = "^[a-z][a-z0-9_]*$"))]
    code: String,
    /// The same text as `detail`, for clients that look for it here.
    message: String,
    /// Names the request in the service's log.
    request_id: String,
    /// What is wrong with the body, one entry for each member.
    errors: Option<Vec<FieldError>>,
}

/// A problem on its way out; the server adds the request id and writes it.
#[derive(Debug, thiserror::Error)]
#[error("{}", code.as_str())]
pub struct Problem {
    code: ProblemCode,
    detail: Option<String>,
    errors: Vec<FieldError>,
    retry_after: u64,
    cause: Option<String>,
}

impl Problem {
    /// The problem with this code.
    #[must_use]
    pub const fn new(code: ProblemCode) -> Self {
        Self { code, detail: None, errors: Vec::new(), retry_after: RETRY_AFTER, cause: None }
    }

    /// With a detail of this occurrence.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// With what is wrong in the body.
    #[must_use]
    pub fn with_errors(self, errors: Vec<FieldError>) -> Self {
        Self { errors, ..self }
    }

    /// With what the log is to say, and the client is not.
    #[must_use]
    pub fn caused_by(self, cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    /// What went wrong.
    #[must_use]
    pub const fn code(&self) -> ProblemCode {
        self.code
    }

    /// What the log is to say.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// The answer to the request called `request_id`.
    #[must_use]
    pub fn answer(&self, request_id: &str) -> Response {
        let detail = self.detail.clone().unwrap_or_else(|| self.code.detail().to_owned());
        let body = ProblemBody {
            kind: self.code.urn(),
            title: self.code.title().to_owned(),
            status: self.code.status().as_u16().into(),
            message: detail.clone(),
            detail,
            code: self.code.as_str().to_owned(),
            request_id: request_id.to_owned(),
            errors: (!self.errors.is_empty()).then(|| self.errors.clone()),
        };
        let mut response =
            Response::builder().status(self.code.status()).content_type(MEDIA_TYPE).body(body.to_json_string());
        if let Some((name, value)) = self.code.header() {
            let value = if name == header::RETRY_AFTER {
                HeaderValue::from(self.retry_after)
            } else {
                HeaderValue::from_static(value)
            };
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.code.status()
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        let cause = error.chain();
        match error {
            ServiceError::RateLimited { retry_after } => {
                Self { retry_after: whole_seconds(retry_after), ..Self::new(ProblemCode::TooManyRequests) }
            }
            ServiceError::Busy { retry_after } => {
                Self { retry_after: whole_seconds(retry_after), ..Self::new(ProblemCode::Busy).caused_by(cause) }
            }
            ServiceError::Unavailable { .. } => Self::new(ProblemCode::Unavailable).caused_by(cause),
            ServiceError::Internal { .. } => Self::new(ProblemCode::Internal).caused_by(cause),
        }
    }
}

/// Rounds up, so that a client that waits as long as it is told is not rejected again.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(RETRY_AFTER)
}

/// The problem in any error that leaves an endpoint. The framework's own texts name types of the program and repeat
/// what was sent, so only their status counts.
#[must_use]
pub fn of(error: Error) -> Problem {
    let status = error.status();
    match error.downcast::<Problem>() {
        Ok(problem) => problem,
        Err(_) if status == StatusCode::NOT_FOUND => Problem::new(ProblemCode::NotFound),
        Err(_) if status == StatusCode::METHOD_NOT_ALLOWED => Problem::new(ProblemCode::MethodNotAllowed),
        Err(_) if status.is_client_error() => Problem::new(ProblemCode::NotFound),
        Err(error) => Problem::new(ProblemCode::Internal).caused_by(error.to_string()),
    }
}
