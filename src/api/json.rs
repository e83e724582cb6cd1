//! JSON bodies.

use poem::{IntoResponse, Request, RequestBody, Response, Result};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    payload::Payload,
    registry::{MetaMediaType, MetaRequest, MetaSchemaRef, Registry},
    types::{ParseFromJSON, ToJSON, Type},
};
use serde_json::{Value, error::Category};

use super::{
    problem::{Problem, ProblemCode},
    schema,
};
use crate::json;

/// The problems of an operation that reads a body.
pub(super) const CODES: &[ProblemCode] =
    &[ProblemCode::MalformedRequest, ProblemCode::InvalidRequest, ProblemCode::UnsupportedMediaType];

/// A JSON body. As an argument it is read strictly: the media type must be JSON in UTF-8, members may not repeat, and
/// the value must satisfy the schema that the document shows.
pub(super) struct Json<T>(pub(super) T);

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
        let value = read(&bytes)?;
        let faults = schema::faults::<T>(&value)
            .ok_or_else(|| Problem::new(ProblemCode::Internal).caused_by("a request type has no usable schema"))?;
        if !faults.is_empty() {
            return Err(Problem::new(ProblemCode::InvalidRequest).with_errors(faults).into());
        }
        let parsed = T::parse_from_json(Some(value)).map_err(|_| Problem::new(ProblemCode::InvalidRequest))?;
        Ok(Self(parsed))
    }
}

/// Whether a media type is `application/json`, alone or with the one charset that JSON has (RFC 8259 section 8.1).
fn is_json(media_type: &str) -> bool {
    let mut parts = media_type.split(';').map(str::trim);
    let json = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    json && parts.filter(|parameter| !parameter.is_empty()).all(|parameter| {
        let parameter = parameter.to_ascii_lowercase();
        parameter == "charset=utf-8" || parameter == "charset=\"utf-8\""
    })
}

fn read(body: &[u8]) -> Result<Value, Problem> {
    json::read(body).map_err(|error| {
        let problem = Problem::new(ProblemCode::MalformedRequest);
        match error.classify() {
            _ if body.is_empty() => problem.with_detail("The body is missing; send one JSON object."),
            Category::Data => problem.with_detail("The body repeats a member, or nests arrays and objects too deeply."),
            Category::Io | Category::Syntax | Category::Eof => problem.with_detail(format!(
                "The body is not valid JSON at line {}, column {}.",
                error.line(),
                error.column()
            )),
        }
    })
}
