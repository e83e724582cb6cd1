//! The security scheme: an access token in the `Authorization` header (RFC 6750 section 2.1).

use poem::{FromRequest as _, Request, RequestBody, Result, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};

use super::{
    problem::{Problem, ProblemCode},
    state::State,
};
use crate::{
    domain::auth::authenticate::{AuthenticateError, Caller, authenticate},
    secret::AccessToken,
};

/// The scheme's name in the document.
pub(super) const SCHEME: &str = "access_token";

/// The problems of an operation that needs a token.
pub(super) const CODES: &[ProblemCode] = &[ProblemCode::MissingToken, ProblemCode::InvalidToken];

/// Whoever presents a valid access token. As the first argument of an operation it is checked before the body is read.
pub(super) struct Bearer(pub(super) Caller);

impl<'a> ApiExtractor<'a> for Bearer {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        registry.create_security_scheme(
            SCHEME,
            MetaSecurityScheme {
                ty: "http",
                description: Some("The access token that a login answers."),
                name: None,
                key_in: None,
                scheme: Some("bearer"),
                bearer_format: Some("JWT"),
                flows: None,
                openid_connect_url: None,
            },
        );
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![SCHEME]
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        let token = presented(request)?;
        let app = State::from_request_without_body(request).await?;
        let caller = authenticate(&app, &token).await.map_err(Problem::from)?;
        Ok(Self(caller))
    }
}

impl From<AuthenticateError> for Problem {
    fn from(error: AuthenticateError) -> Self {
        match error {
            AuthenticateError::InvalidToken => Self::new(ProblemCode::InvalidToken),
            AuthenticateError::Service(error) => error.into(),
        }
    }
}

/// The one token of the request. Several headers, other schemes and unreadable bytes are not guessed at.
fn presented(request: &Request) -> Result<AccessToken, Problem> {
    let mut headers = request.headers().get_all(header::AUTHORIZATION).iter();
    let value = headers.next().ok_or_else(|| Problem::new(ProblemCode::MissingToken))?;
    let invalid = || Problem::new(ProblemCode::InvalidToken);
    if headers.next().is_some() {
        return Err(invalid());
    }
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(invalid)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(AccessToken::from(token.trim_start_matches(' ').to_owned()))
    } else {
        Err(Problem::new(ProblemCode::MissingToken))
    }
}
