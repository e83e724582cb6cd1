//! Durations such as `30s`, `15m` and `14d`.

use std::time::Duration;

use super::{
    quantity::Scale,
    value_type::{Notation, Value},
};

/// One millisecond, for the bounds of a [`BoundedDuration`].
pub(crate) const MILLISECOND: u64 = 1;
/// One second, for the bounds of a [`BoundedDuration`].
pub(crate) const SECOND: u64 = 1000 * MILLISECOND;
/// One minute, for the bounds of a [`BoundedDuration`].
pub(crate) const MINUTE: u64 = 60 * SECOND;
/// One hour, for the bounds of a [`BoundedDuration`].
pub(crate) const HOUR: u64 = 60 * MINUTE;
/// One day, for the bounds of a [`BoundedDuration`].
pub(crate) const DAY: u64 = 24 * HOUR;

const SCALE: Scale = Scale {
    noun: "a duration",
    units: &[("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", MILLISECOND)],
    zero: "0s",
    examples: "30s, 15m or 14d",
};

/// A duration of `MIN` to `MAX` milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BoundedDuration<const MIN: u64, const MAX: u64>(Duration);

impl<const MIN: u64, const MAX: u64> BoundedDuration<MIN, MAX> {
    /// Returns the duration.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl<const MIN: u64, const MAX: u64> Value for BoundedDuration<MIN, MAX> {
    const NOTATION: Notation = Notation::Quoted;

    fn parse(text: &str) -> Result<Self, String> {
        SCALE.parse(text, MIN, MAX).map(Duration::from_millis).map(Self)
    }

    fn show(&self) -> String {
        // Every value was parsed from a number of milliseconds within bounds.
        SCALE.show(u64::try_from(self.0.as_millis()).unwrap_or(MAX))
    }

    fn describe() -> String {
        SCALE.describe(MIN, MAX)
    }
}
