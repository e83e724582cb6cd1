//! The macro that declares the problems of a domain error, next to its handler.

/// Declares the problem of each variant of a domain error, and with it the problem codes of its operations.
///
/// ```text
/// problems! {
///     ChangePasswordError {
///         InvalidToken => InvalidToken;
///         InvalidCredentials => InvalidCredentials, detail: "The current password is incorrect.";
///         PasswordRejected(weakness) => PasswordRejected,
///             errors: [FieldError::weak_password("/new_password", weakness)];
///     }
///     Service => [TooManyRequests, Busy, Unavailable]
/// }
/// ```
///
/// The block maps each variant to a problem code. A variant can have its own detail or field errors where the default
/// detail of the code is too general. The last line lists which problems of the variant `Service`, a
/// [`ServiceError`](crate::error::ServiceError), the operation can return.
macro_rules! problems {
    (
        $error:ident {
            $(
                $variant:ident $(($value:pat))? => $code:ident
                    $(, detail: $detail:expr)? $(, errors: $errors:expr)?;
            )*
        }
        Service => [$($service_code:ident),*]
    ) => {
        impl From<$error> for $crate::api::schema::Problem {
            fn from(error: $error) -> Self {
                match error {
                    $(
                        $error::$variant $(($value))? => {
                            Self::new($crate::api::schema::ProblemCode::$code)
                                $(.with_detail($detail))?
                                $(.with_errors($errors))?
                        }
                    )*
                    $error::Service(error) => error.into(),
                }
            }
        }

        impl $crate::api::schema::IntoProblem for $error {
            const CODES: &'static [$crate::api::schema::ProblemCode] = &[
                $($crate::api::schema::ProblemCode::$code,)*
                $($crate::api::schema::ProblemCode::$service_code,)*
            ];
        }
    };
}
pub(crate) use problems;
