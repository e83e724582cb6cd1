//! Problem codes: the table of every error that a client can receive.

use poem::http::StatusCode;

use crate::error::ServiceError;

macro_rules! problem_codes {
    ($($variant:ident = $code:literal, $status:ident, $title:literal, $detail:literal;)*) => {
        /// The code of a problem, on which clients branch.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ProblemCode {
            $(#[doc = $title] $variant,)*
        }

        impl ProblemCode {
            /// Every code, in the order of the statuses.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the code as it is sent.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// Returns the HTTP status of the problem.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// Returns the title: what the code means, the same in every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// Returns the detail of an occurrence that has none of its own.
            pub const fn detail(self) -> &'static str {
                match self { $(Self::$variant => $detail,)* }
            }
        }
    };
}

problem_codes! {
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

impl From<&ServiceError> for ProblemCode {
    fn from(error: &ServiceError) -> Self {
        match error {
            ServiceError::RateLimited { .. } => Self::TooManyRequests,
            ServiceError::Busy { .. } => Self::Busy,
            ServiceError::Unavailable { .. } => Self::Unavailable,
            ServiceError::Internal { .. } => Self::Internal,
        }
    }
}
