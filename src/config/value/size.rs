//! Sizes such as `16KiB` and `1MiB`.

use super::{
    quantity::Scale,
    value_type::{Notation, Value},
};

/// The bytes of one KiB.
pub(crate) const KIB: u64 = 1024;
/// The bytes of one MiB.
pub(crate) const MIB: u64 = 1024 * KIB;

const SCALE: Scale =
    Scale { noun: "a size", units: &[("MiB", MIB), ("KiB", KIB)], zero: "0KiB", examples: "16KiB or 1MiB" };

/// A size of `MIN` to `MAX` bytes, which is a whole number of KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size<T, const MIN: u64, const MAX: u64>(T);

impl<T: Copy, const MIN: u64, const MAX: u64> Size<T, MIN, MAX> {
    /// Returns the number of bytes.
    pub const fn bytes(self) -> T {
        self.0
    }
}

impl<T: Copy + TryFrom<u64> + TryInto<u64>, const MIN: u64, const MAX: u64> Value for Size<T, MIN, MAX> {
    const NOTATION: Notation = Notation::Quoted;

    fn parse(text: &str) -> Result<Self, String> {
        let bytes = SCALE.parse(text, MIN, MAX)?;
        bytes.try_into().map(Self).map_err(|_| format!("{text} is too large for this system"))
    }

    fn show(&self) -> String {
        SCALE.show(self.0.try_into().unwrap_or(u64::MAX))
    }

    fn describe() -> String {
        SCALE.describe(MIN, MAX)
    }
}
