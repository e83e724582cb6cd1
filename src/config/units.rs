//! Whole numbers with a unit: durations such as `30s` and sizes such as `16KiB`.

use std::{fmt, time::Duration};

use super::value::SettingValue;

pub(super) const MILLISECOND: u64 = 1;
pub(super) const SECOND: u64 = 1000 * MILLISECOND;
pub(super) const MINUTE: u64 = 60 * SECOND;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;

pub(super) const KIB: u64 = 1024;
pub(super) const MIB: u64 = 1024 * KIB;

const DURATIONS: Quantity = Quantity {
    noun: "a duration",
    units: &[("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND)],
    smallest: ("ms", MILLISECOND),
    zero: "0s",
    examples: "30s, 15m or 14d",
};

const SIZES: Quantity = Quantity {
    noun: "a size",
    units: &[("MiB", MIB)],
    smallest: ("KiB", KIB),
    zero: "0KiB",
    examples: "16KiB or 1MiB",
};

/// A kind of quantity, and its units.
struct Quantity {
    /// Its name with an article.
    noun: &'static str,
    /// The name and the factor of each unit except the smallest, largest first.
    units: &'static [(&'static str, u64)],
    /// The name and the factor of the smallest unit. Every value is a multiple of it.
    smallest: (&'static str, u64),
    /// The notation of zero.
    zero: &'static str,
    /// Examples of valid values, for error messages.
    examples: &'static str,
}

impl Quantity {
    /// Parses one whole number and one unit, without a space.
    fn parse(&self, text: &str, min: u64, max: u64) -> Result<u64, String> {
        let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        if number.is_empty() {
            return Err(format!("is not a whole number with a unit; write {}", self.examples));
        }
        if unit.is_empty() {
            return Err(format!("has no unit; write {}", self.examples));
        }
        let Some((_, factor)) = self.units.iter().chain([&self.smallest]).find(|(name, _)| *name == unit) else {
            return Err(format!("has an unknown unit; write {}", self.examples));
        };
        let value = number.parse().ok().and_then(|number: u64| number.checked_mul(*factor));
        value
            .filter(|value| (min..=max).contains(value))
            .ok_or_else(|| format!("is out of range; write {}", self.expected(min, max)))
    }

    /// Writes a value in the largest unit that divides it.
    #[expect(clippy::arithmetic_side_effects, reason = "no unit is zero")]
    fn format(&self, value: u64) -> String {
        if value == 0 {
            return self.zero.to_owned();
        }
        let dividing = self.units.iter().find(|(_, factor)| value.is_multiple_of(*factor));
        let (name, factor) = dividing.unwrap_or(&self.smallest);
        format!("{}{name}", value / factor)
    }

    fn expected(&self, min: u64, max: u64) -> String {
        format!("{} from {} to {}", self.noun, self.format(min), self.format(max))
    }
}

/// A duration of `MIN` to `MAX` milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BoundedDuration<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> BoundedDuration<MIN, MAX> {
    /// Returns the duration.
    pub const fn get(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl<const MIN: u64, const MAX: u64> fmt::Display for BoundedDuration<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&DURATIONS.format(self.0))
    }
}

impl<const MIN: u64, const MAX: u64> SettingValue for BoundedDuration<MIN, MAX> {
    fn parse(text: &str) -> Result<Self, String> {
        DURATIONS.parse(text, MIN, MAX).map(Self)
    }

    fn to_toml(&self) -> toml::Value {
        self.to_string().into()
    }

    fn expected() -> String {
        DURATIONS.expected(MIN, MAX)
    }
}

/// A size of `MIN` to `MAX` bytes, in whole KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size<T, const MIN: u64, const MAX: u64>(T);

impl<T: Copy, const MIN: u64, const MAX: u64> Size<T, MIN, MAX> {
    /// Returns the number of bytes.
    pub const fn bytes(self) -> T {
        self.0
    }
}

impl<T: Copy + TryFrom<u64> + TryInto<u64>, const MIN: u64, const MAX: u64> SettingValue for Size<T, MIN, MAX> {
    fn parse(text: &str) -> Result<Self, String> {
        let bytes = SIZES.parse(text, MIN, MAX)?;
        bytes.try_into().map(Self).map_err(|_| "is too large for this system".to_owned())
    }

    fn to_toml(&self) -> toml::Value {
        SIZES.format(self.0.try_into().unwrap_or(MAX)).into()
    }

    fn expected() -> String {
        SIZES.expected(MIN, MAX)
    }
}
