//! JSON bodies of requests and responses.

use poem::{IntoResponse, Request, RequestBody, Response, Result};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    payload::Payload,
    registry::{MetaMediaType, MetaRequest, MetaSchemaRef, Registry},
    types::{ParseFromJSON, ToJSON, Type},
};
use serde_json::{Value, error::Category};

use super::{problem::Problem, problem_code::ProblemCode, validation::RequestValidators};
use crate::json;

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
        if !request.content_type().is_some_and(is_json) {
            return Err(Problem::new(ProblemCode::UnsupportedMediaType).into());
        }
        let bytes = body.take()?.into_bytes().await?;
        let value = parse(&bytes)?;

        let validators: &&RequestValidators =
            request.data().ok_or_else(|| Problem::internal("the request carries no validators"))?;
        validators.validate::<T>(&value)?;

        let parsed = T::parse_from_json(Some(value)).map_err(|_| Problem::new(ProblemCode::InvalidRequest))?;
        Ok(Self(parsed))
    }
}

/// Returns whether a media type is `application/json`, alone or with the only charset of JSON (RFC 8259 section 8.1).
fn is_json(media_type: &str) -> bool {
    let mut parts = media_type.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    let mut parameters = parts.filter(|parameter| !parameter.is_empty()).map(str::to_ascii_lowercase);
    is_json && parameters.all(|parameter| parameter == "charset=utf-8" || parameter == "charset=\"utf-8\"")
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
