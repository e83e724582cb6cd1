//! Schemas at work: the schema that the document shows is the one that checks each request body.

use std::{
    any::TypeId,
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use jsonschema::{Draft, Validator, error::ValidationErrorKind};
use poem_openapi::{registry::Registry, types::Type};
use serde_json::{Value, json};

use super::problem::FieldError;

/// The most faults that are told of one body; a body of nothing but unknown members would be answered with a far
/// larger one.
const MAX_FAULTS: usize = 16;
/// The longest name of an unknown member that a pointer repeats, in bytes.
const MAX_NAME: usize = 64;

type Checks = Mutex<HashMap<TypeId, Arc<Validator>>>;

/// What is wrong with `body` as a `T`; empty when it satisfies the schema. `None` when `T` has no usable schema.
pub(super) fn faults<T: Type + 'static>(body: &Value) -> Option<Vec<FieldError>> {
    static CHECKS: LazyLock<Checks> = LazyLock::new(Checks::default);
    let check = {
        let mut checks = CHECKS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(check) = checks.get(&TypeId::of::<T>()) {
            Arc::clone(check)
        } else {
            let check = Arc::new(compile(&closed::<T>())?);
            checks.insert(TypeId::of::<T>(), Arc::clone(&check));
            check
        }
    };
    let faults = check.iter_errors(body).flat_map(|error| explain(error.instance_path().as_str(), error.kind()));
    Some(faults.take(MAX_FAULTS).collect())
}

/// Closes the schema of every object, so that unknown members are refused.
pub(super) fn close(schema: &mut Value) {
    if let Value::Object(members) = schema {
        if members.get("type").is_some_and(|kind| kind == "object") {
            members.entry("additionalProperties").or_insert(Value::Bool(false));
        }
        members.values_mut().for_each(close);
    } else if let Value::Array(items) = schema {
        items.iter_mut().for_each(close);
    }
}

fn compile(schema: &Value) -> Option<Validator> {
    jsonschema::options().with_draft(Draft::Draft4).build(schema).ok()
}

/// The schema of `T` and of all that it refers to, every object closed.
fn closed<T: Type>() -> Value {
    let mut registry = Registry::new();
    T::register(&mut registry);
    let mut schema = json!({
        "allOf": [T::schema_ref()],
        "components": { "schemas": registry.schemas },
    });
    close(&mut schema);
    schema
}

/// One error of the library in our words, which never repeat a value that was sent: it may be a password.
fn explain(pointer: &str, kind: &ValidationErrorKind) -> Vec<FieldError> {
    let one = |pointer: String, code: &str, detail: String| vec![FieldError { pointer, code: code.to_owned(), detail }];
    let here = pointer.to_owned();
    match kind {
        ValidationErrorKind::AdditionalProperties { unexpected } => unexpected
            .iter()
            .take(MAX_FAULTS)
            .map(|name| if name.len() > MAX_NAME { pointer.to_owned() } else { member(pointer, name) })
            .flat_map(|place| one(place, "unknown", "is not a member of this object".to_owned()))
            .collect(),
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            one(member(pointer, name), "required", "is missing".to_owned())
        }
        ValidationErrorKind::Type { .. } => one(here, "wrong_type", "has the wrong JSON type".to_owned()),
        ValidationErrorKind::MinLength { limit } => {
            one(here, "too_short", format!("must have at least {limit} characters"))
        }
        ValidationErrorKind::MaxLength { limit } => {
            one(here, "too_long", format!("must have at most {limit} characters"))
        }
        ValidationErrorKind::Pattern { .. } => {
            one(here, "wrong_form", "does not have the form that the document describes".to_owned())
        }
        other => one(here, "invalid", format!("breaks the schema's {}", other.keyword())),
    }
}

/// The pointer to a member, escaped by RFC 6901.
fn member(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}
