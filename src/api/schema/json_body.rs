//! JSON bodies of requests and responses.

use poem::{
    IntoResponse, Request, RequestBody, Response, Result,
    http::{HeaderValue, header},
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    payload::Payload,
    registry::{MetaMediaType, MetaRequest, MetaSchemaRef, Registry},
    types::{ParseFromJSON, ToJSON, Type},
};
use serde_json::{Value, error::Category};

use super::{problem::Problem, problem_code::ProblemCode, validation::RequestValidators};
use crate::{
    header_value::{split_outside_quotes, unquote},
    json,
};

/// The problem codes of an operation with a request body.
pub(crate) const CODES: &[ProblemCode] =
    &[ProblemCode::MalformedRequest, ProblemCode::InvalidRequest, ProblemCode::UnsupportedMediaType];

/// A JSON body. Request bodies are parsed strictly: the media type must be JSON in UTF-8, members must not repeat, and
/// the value must satisfy its schema in the document.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Type> Payload for Json<T> {
    const CONTENT_TYPE: &'static str = "application/json";

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: ToJSON> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        Response::builder().content_type(Self::CONTENT_TYPE).body(self.0.to_json_string())
    }
}

impl<'a, T: ParseFromJSON + 'static> ApiExtractor<'a> for Json<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: None,
            content: vec![MetaMediaType { content_type: Self::CONTENT_TYPE, schema: T::schema_ref() }],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        check_format(request)?;
        let bytes = body.take()?.into_bytes().await?;
        let value = parse(&bytes)?;

        let validators: &&RequestValidators =
            request.data().ok_or_else(|| Problem::internal("the request carries no validators"))?;
        validators.validate::<T>(&value)?;

        let parsed = T::parse_from_json(Some(value)).map_err(|_| Problem::new(ProblemCode::InvalidRequest))?;
        Ok(Self(parsed))
    }
}

/// Checks that the body is JSON in UTF-8 without a content coding.
///
/// # Errors
/// Returns the problem `unsupported_media_type`.
fn check_format(request: &Request) -> Result<(), Problem> {
    if !request.headers().get_all(header::CONTENT_ENCODING).iter().all(is_identity) {
        return Err(Problem::unsupported_content_coding());
    }
    if !request.content_type().is_some_and(is_json) {
        return Err(Problem::new(ProblemCode::UnsupportedMediaType));
    }
    Ok(())
}

/// Returns whether a `Content-Encoding` header names no coding except `identity`, which changes nothing.
fn is_identity(codings: &HeaderValue) -> bool {
    let mut codings = codings.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    codings.all(|coding| coding.is_empty() || coding.eq_ignore_ascii_case(b"identity"))
}

/// Returns whether a media type is `application/json`. A charset must be the only one of JSON (RFC 8259 section 8.1).
/// Other parameters have no meaning for JSON and are ignored.
fn is_json(media_type: &str) -> bool {
    let (essence, parameters) = media_type.split_once(';').unwrap_or((media_type, ""));
    let parameters = split_outside_quotes(parameters, ';');
    essence.trim().eq_ignore_ascii_case("application/json")
        && parameters.is_some_and(|parameters| !parameters.into_iter().any(is_other_charset))
}

/// Returns whether a parameter of a media type names a charset other than UTF-8.
fn is_other_charset(parameter: &str) -> bool {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    let is_utf8 = |charset: &str| charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8");
    name.trim().eq_ignore_ascii_case("charset") && !unquote(value.trim()).is_some_and(is_utf8)
}

/// Parses a body as one JSON value.
///
/// # Errors
/// Returns the problem `malformed_request`, with a detail that says what is wrong.
fn parse(body: &[u8]) -> Result<Value, Problem> {
    json::read(body).map_err(|error| {
        let detail = match error.classify() {
            _ if body.is_empty() => "The request body is missing. Send one JSON object.".to_owned(),
            Category::Data => format!(
                "The request body repeats a field, or nests arrays and objects more than {} levels deep.",
                json::MAX_DEPTH
            ),
            Category::Io | Category::Syntax | Category::Eof => {
                format!("The request body is not valid JSON: see line {}, column {}.", error.line(), error.column())
            }
        };
        Problem::new(ProblemCode::MalformedRequest).with_detail(detail)
    })
}
