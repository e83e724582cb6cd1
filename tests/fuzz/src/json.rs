//! Bodies: what is read is what `serde_json` reads, no member stands twice at any depth, and nothing else is refused but
//! nesting beyond 32.

use std::{collections::BTreeSet, fmt};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use vestibule::api::fuzzing::read_json;

/// How deep arrays and objects may stand in one another.
const MAX_DEPTH: usize = 32;

pub(crate) fn run(data: &[u8]) {
    let usual = serde_json::from_slice::<Value>(data).ok();
    let shape = serde_json::from_slice::<Shape>(data).ok();
    let acceptable = shape.is_some_and(|shape| !shape.repeats && shape.depth <= MAX_DEPTH);
    match read_json(data) {
        Some(value) => {
            assert!(acceptable, "a member stands twice, or too deep");
            assert_eq!(Some(value), usual, "it is read as something else");
        }
        None => assert!(!acceptable || usual.is_none(), "it is refused without a reason"),
    }
}

/// What `serde_json`'s own values do not tell.
#[derive(Default)]
pub(crate) struct Shape {
    /// Whether a member stands twice in any object.
    pub(crate) repeats: bool,
    /// The members of the outermost object, in their order.
    pub(crate) members: Vec<String>,
    /// How deep arrays and objects stand in one another.
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
            shape.repeats |= !names.insert(name.clone());
            shape.members.push(name);
        }
        Ok(shape)
    }
}
