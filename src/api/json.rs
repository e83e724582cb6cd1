//! JSON bodies, strictly read.

use std::fmt;

use poem::{IntoResponse, Request, RequestBody, Response, Result};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    payload::Payload,
    registry::{MetaMediaType, MetaRequest, MetaSchemaRef, Registry},
    types::{ParseFromJSON, ToJSON, Type},
};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, error::Category};

use super::{
    problem::{Problem, ProblemCode},
    schema,
};

/// The problems of an operation that reads a body.
pub(super) const CODES: &[ProblemCode] =
    &[ProblemCode::MalformedRequest, ProblemCode::InvalidRequest, ProblemCode::UnsupportedMediaType];

/// How deep arrays and objects may stand in one another.
const MAX_DEPTH: u8 = 32;

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

/// Reads a JSON text in which no member stands twice.
pub(super) fn read(bytes: &[u8]) -> Result<Value, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Node { depth: MAX_DEPTH }.deserialize(&mut deserializer);
    value.and_then(|value| deserializer.end().map(|()| value)).map_err(|error| {
        let problem = Problem::new(ProblemCode::MalformedRequest);
        match error.classify() {
            _ if bytes.is_empty() => problem.with_detail("The body is missing; send one JSON object."),
            Category::Data => problem.with_detail("The body repeats a member, or nests arrays and objects too deeply."),
            Category::Io | Category::Syntax | Category::Eof => problem.with_detail(format!(
                "The body is not valid JSON at line {}, column {}.",
                error.line(),
                error.column()
            )),
        }
    })
}

/// Reads any JSON value, refusing what `serde_json` lets pass: repeated members, and nesting beyond `depth`.
struct Node {
    depth: u8,
}

impl Node {
    fn below<E: de::Error>(&self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
        Ok(Self { depth })
    }
}

impl<'de> DeserializeSeed<'de> for Node {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.below()?)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        self.below::<A::Error>()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(self.below()?)?;
            if object.insert(name, value).is_some() {
                return Err(de::Error::custom("repeated member"));
            }
        }
        Ok(Value::Object(object))
    }
}
