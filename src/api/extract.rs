//! Extractors for everything in a request except its body: the access token, the client and the `App`.

use std::{net::IpAddr, ops::Deref, sync::Arc};

use poem::{FromRequest, Request, RequestBody, Result, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};

use super::{
    problems::problems,
    schema::{IntoProblem, Problem, ProblemCode},
};
use crate::{
    domain::{
        app::App,
        auth::authenticate::{AuthenticateError, Caller, authenticate},
        instance::Instance,
        request::Client,
    },
    ids::RequestId,
    secret::AccessToken,
};

/// The client IP of a request. The server determines it and attaches it to every request.
#[derive(Clone, Copy, Debug)]
pub struct ClientIp(pub IpAddr);

/// The client of a request: its IP and user agent, and the id of the request.
pub(crate) struct ClientInfo(pub(crate) Client);

impl<'a> FromRequest<'a> for ClientInfo {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        let &ClientIp(ip) = request.data().ok_or_else(|| Problem::internal("the request has no client IP"))?;
        let &request_id: &RequestId = request.data().ok_or_else(|| Problem::internal("the request has no id"))?;
        let user_agent = request.header(header::USER_AGENT).map(ToOwned::to_owned);
        Ok(Self(Client { ip, user_agent, request_id }))
    }
}

/// The [`App`], which use cases need. While the instance is starting, it does not exist, and extraction fails with the
/// problem `unavailable`. Every operation that takes it must document this code.
pub(crate) struct RunningApp(Arc<App>);

impl Deref for RunningApp {
    type Target = App;

    fn deref(&self) -> &App {
        &self.0
    }
}

impl<'a> FromRequest<'a> for RunningApp {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        let instance: &Arc<Instance> =
            request.data().ok_or_else(|| Problem::internal("the request carries no instance"))?;
        let app = instance.app().ok_or_else(|| Problem::new(ProblemCode::Unavailable))?;
        Ok(Self(Arc::clone(app)))
    }
}

/// The path of the public URL, such as `/auth`, without a trailing slash. Empty if the URL has no path.
#[derive(Clone, Debug)]
pub(crate) struct BasePath(pub(super) Arc<str>);

impl BasePath {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the path at which clients reach a path of the service.
    pub(crate) fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl<'a> FromRequest<'a> for BasePath {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        let path: &Self = request.data().ok_or_else(|| Problem::internal("the request carries no base path"))?;
        Ok(path.clone())
    }
}

/// The name of the security scheme in the document.
const SCHEME: &str = "access_token";

/// The problem codes of an operation that needs an access token.
pub(super) const AUTHENTICATION_CODES: [&[ProblemCode]; 2] = [&[ProblemCode::MissingToken], AuthenticateError::CODES];

/// The user and session of a valid access token. Handlers take it as their first argument, so that the token is checked
/// before the body is read.
pub(crate) struct Authenticated(pub(crate) Caller);

impl<'a> ApiExtractor<'a> for Authenticated {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        registry.create_security_scheme(
            SCHEME,
            MetaSecurityScheme {
                ty: "http",
                description: Some("The access token from a login or refresh response."),
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
        let app = RunningApp::from_request_without_body(request).await?;
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

/// Returns the access token of the request. A repeated header, or a header that is not visible ASCII, counts as an
/// invalid token.
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
