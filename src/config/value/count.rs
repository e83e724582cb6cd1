//! Whole numbers.

use std::fmt::Display;

use super::value_type::{Notation, Value};

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count<T, const MIN: u64, const MAX: u64>(T);

impl<T: Copy, const MIN: u64, const MAX: u64> Count<T, MIN, MAX> {
    /// Returns the number.
    pub const fn get(self) -> T {
        self.0
    }
}

impl<T: Copy + Display + TryFrom<u64>, const MIN: u64, const MAX: u64> Value for Count<T, MIN, MAX> {
    const NOTATION: Notation = Notation::Bare;

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || !text.bytes().all(|letter| letter.is_ascii_digit()) {
            return Err(format!("{text:?} is not a whole number; write {}", Self::describe()));
        }
        let bounded = text.parse().ok().filter(|number: &u64| (MIN..=MAX).contains(number));
        let number = bounded.and_then(|number| T::try_from(number).ok());
        number.map(Self).ok_or_else(|| format!("{text} is out of bounds; write {}", Self::describe()))
    }

    fn show(&self) -> String {
        self.0.to_string()
    }

    fn describe() -> String {
        format!("a whole number from {MIN} to {MAX}")
    }
}
