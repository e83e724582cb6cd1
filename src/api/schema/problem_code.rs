//! Problem codes: every error that a client can receive, with its status and texts.

use poem::http::StatusCode;

use crate::error::ServiceError;

macro_rules! problem_codes {
    ($($variant:ident = $code:literal, $status:ident, $title:literal, $detail:literal;)*) => {
        /// The code of a problem. Clients branch on it.
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

            /// Returns the title, which is the same in every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// Returns the default detail, for occurrences without a detail of their own.
            pub const fn detail(self) -> &'static str {
                match self { $(Self::$variant => $detail,)* }
            }
        }
    };
}

problem_codes! {
    InvalidRequest = "invalid_request", BAD_REQUEST, "Invalid request body",
        "Fields of the request body are missing, unknown or invalid. See errors for each of them.";
    BadFraming = "bad_framing", BAD_REQUEST, "Ambiguous request",
        "The request is ambiguous or incomplete. It must have exactly one Host header and one body length, and the \
         body must have that length (RFC 9112).";
    MalformedRequest = "malformed_request", BAD_REQUEST, "Malformed request body",
        "The request body must be one JSON object in UTF-8, without repeated fields.";
    InvalidCredentials = "invalid_credentials", UNAUTHORIZED, "Invalid credentials",
        "Invalid username or password";
    MissingToken = "missing_token", UNAUTHORIZED, "Access token required",
        "The request has no access token. Log in, and send the access token in the header Authorization: Bearer.";
    InvalidToken = "invalid_token", UNAUTHORIZED, "Invalid token",
        "The token is invalid or expired, or its session was revoked. Refresh the session, or log in again.";
    RegistrationClosed = "registration_closed", FORBIDDEN, "Registration disabled",
        "Registration is disabled. Ask an administrator to add you.";
    NotFound = "not_found", NOT_FOUND, "Resource not found",
        "The resource does not exist or you do not have access to it.";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "Method not allowed",
        "This path does not support the request method. The Allow header lists the methods that it supports.";
    UsernameTaken = "username_taken", CONFLICT, "Username taken",
        "The username is taken or reserved. Usernames that differ only in case are the same. Choose another username.";
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "Request body too large",
        "The request body exceeds the size limit of the service. Send a smaller body.";
    UriTooLong = "uri_too_long", URI_TOO_LONG, "URL too long",
        "The path and query of the URL exceed the length limit of the service. Send a shorter URL.";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "Unsupported media type",
        "Send the request body as JSON in UTF-8, with the header Content-Type: application/json.";
    PasswordRejected = "password_rejected", UNPROCESSABLE_ENTITY, "Password rejected",
        "The new password violates the password policy. See errors for the reason, and choose another password.";
    TooManyRequests = "too_many_requests", TOO_MANY_REQUESTS, "Too many requests",
        "A rate limit or lockout applies. Retry after the number of seconds in the Retry-After header.";
    HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "Request headers too large",
        "The request headers exceed the limits of the service. Send fewer or smaller headers.";
    Internal = "internal", INTERNAL_SERVER_ERROR, "Internal server error",
        "The service failed to process the request. If this happens again, report the request_id to the operator.";
    Busy = "busy", SERVICE_UNAVAILABLE, "Service busy",
        "The service is verifying too many passwords. Retry after the number of seconds in the Retry-After header.";
    NotReady = "not_ready", SERVICE_UNAVAILABLE, "Instance not ready",
        "The instance is not ready. Send requests to another instance, or retry after the number of seconds in the \
         Retry-After header.";
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "Database unavailable",
        "The service cannot use its database, and may or may not have completed the request. It is safe to retry after \
         the number of seconds in the Retry-After header.";
    TimedOut = "timed_out", SERVICE_UNAVAILABLE, "Request timed out",
        "The request was not completed in time. Retry after the number of seconds in the Retry-After header.";
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
