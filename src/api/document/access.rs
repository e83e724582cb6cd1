//! Access to parts of the document that must exist.

use serde_json::{Map, Value};

use super::error::DocumentError;

/// A JSON object.
pub(super) type Object = Map<String, Value>;

/// Returns the object at a JSON pointer.
pub(super) fn object_at<'a>(value: &'a mut Value, pointer: &str) -> Result<&'a mut Object, DocumentError> {
    value.pointer_mut(pointer).and_then(Value::as_object_mut).ok_or_else(|| missing("object", pointer))
}

/// Returns the array at a JSON pointer.
pub(super) fn array_at<'a>(value: &'a mut Value, pointer: &str) -> Result<&'a mut Vec<Value>, DocumentError> {
    value.pointer_mut(pointer).and_then(Value::as_array_mut).ok_or_else(|| missing("array", pointer))
}

/// Returns the member `name` of an object, which must be an object too.
pub(super) fn object_in<'a>(object: &'a mut Object, name: &str) -> Result<&'a mut Object, DocumentError> {
    object.get_mut(name).and_then(Value::as_object_mut).ok_or_else(|| missing("object", name))
}

/// Returns the value at a JSON pointer.
pub(super) fn value_at<'a>(value: &'a Value, pointer: &str) -> Result<&'a Value, DocumentError> {
    value.pointer(pointer).ok_or_else(|| missing("value", pointer))
}

/// Returns the value at a JSON pointer, to change it.
pub(super) fn value_at_mut<'a>(value: &'a mut Value, pointer: &str) -> Result<&'a mut Value, DocumentError> {
    value.pointer_mut(pointer).ok_or_else(|| missing("value", pointer))
}

fn missing(kind: &'static str, place: &str) -> DocumentError {
    DocumentError::MissingPart { kind, place: place.to_owned() }
}
