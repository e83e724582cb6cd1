//! JSON in bodies and tokens: the parser reads what `serde_json` reads. It rejects only duplicate members at any depth
//! and nesting deeper than 32.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{
    Deserialize, Serialize,
    de::{Deserializer, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

/// The maximum nesting of arrays and objects.
const MAX_DEPTH: usize = 32;

pub(crate) fn run(data: &[u8]) {
    assert_eq!(vestibule::json::read(data).ok(), value(data), "the result differs from the expected one");
}

/// Returns the value of a text if the service may accept it.
pub(crate) fn value(text: &[u8]) -> Option<Value> {
    let shape: Shape = serde_json::from_slice(text).ok()?;
    // Uses its own type, because `serde_json`'s `Value` treats a member with one internal name as nested text.
    let read: Any = serde_json::from_slice(text).ok()?;
    (!shape.repeats && shape.depth <= MAX_DEPTH).then(|| serde_json::to_value(read).expect("it was JSON"))
}

/// Any value; the first variant that fits.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Any {
    Bool(bool),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
    Array(Vec<Any>),
    Object(BTreeMap<String, Any>),
    Null(()),
}

/// What `serde_json`'s own values do not show.
#[derive(Default)]
struct Shape {
    /// Whether any object has a duplicate member.
    repeats: bool,
    /// The nesting depth of arrays and objects.
    depth: usize,
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Shapes)
    }
}

struct Shapes;

impl Shape {
    fn contain(&mut self, inner: &Self) {
        self.repeats |= inner.repeats;
        self.depth = self.depth.max(inner.depth + 1);
    }
}

impl<'de> Visitor<'de> for Shapes {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Shape, E> {
        Ok(Shape::default())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::default())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::default())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::default())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::default())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Shape, A::Error> {
        let mut shape = Shape { depth: 1, ..Shape::default() };
        while let Some(item) = items.next_element::<Shape>()? {
            shape.contain(&item);
        }
        Ok(shape)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Shape, A::Error> {
        let (mut shape, mut names) = (Shape { depth: 1, ..Shape::default() }, BTreeSet::new());
        while let Some((name, value)) = members.next_entry::<String, Shape>()? {
            shape.contain(&value);
            shape.repeats |= !names.insert(name);
        }
        Ok(shape)
    }
}
