//! The types of settings: each parses, shows and describes itself.

mod collection;
mod count;
mod duration;
mod http_url;
mod quantity;
mod scalar;
mod size;
mod value_type;

pub use self::{
    count::Count,
    duration::BoundedDuration,
    http_url::HttpUrl,
    size::Size,
    value_type::{Notation, Value},
};
pub(super) use self::{
    duration::{DAY, HOUR, MILLISECOND, MINUTE, SECOND},
    scalar::REDACTED,
    size::{KIB, MIB},
};
