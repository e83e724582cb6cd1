//! The security scheme: an access token in the `Authorization` header (RFC 6750 section 2.1).

use poem::{FromRequest as _, Request, RequestBody, Result, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};

use super::state::State;
use crate::{
    api::{
        problems::problems,
        schema::{IntoProblem, Problem, ProblemCode},
    },
    domain::auth::authenticate::{AuthenticateError, Caller, authenticate},
    secret::AccessToken,
};

/// The name of the scheme in the document.
const SCHEME: &str = "access_token";

/// The problem codes of an operation that needs an access token.
pub(in crate::api) const CODES: [&[ProblemCode]; 2] = [&[ProblemCode::MissingToken], AuthenticateError::CODES];

/// The user and session of a valid access token. Handlers take it as their first argument, so that it is checked before
/// the body is read.
pub(crate) struct Bearer(pub(crate) Caller);

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
        let token = read_token(request)?;
        let app = State::from_request_without_body(request).await?;
        let caller = authenticate(&app, &token).await.map_err(Problem::from)?;
        Ok(Self(caller))
    }
}

problems! {
    AuthenticateError {
        InvalidToken => InvalidToken;
    }
    Service => [Unavailable]
}

/// Returns the access token of the request. More than one header, or bytes that are not text, are an invalid token.
fn read_token(request: &Request) -> Result<AccessToken, Problem> {
    let invalid = || Problem::new(ProblemCode::InvalidToken);
    let mut headers = request.headers().get_all(header::AUTHORIZATION).iter();
    let value = headers.next().ok_or_else(|| Problem::new(ProblemCode::MissingToken))?;
    if headers.next().is_some() {
        return Err(invalid());
    }

    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(invalid)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Problem::new(ProblemCode::MissingToken));
    }
    Ok(AccessToken::from(token.trim_start_matches(' ').to_owned()))
}
