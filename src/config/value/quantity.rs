//! Whole numbers with a unit: durations and sizes.

/// The units of a kind of quantity.
pub(super) struct Scale {
    /// What it measures, with its article.
    pub(super) noun: &'static str,
    /// The name of each unit and how many of the smallest it is, the largest first.
    pub(super) units: &'static [(&'static str, u64)],
    /// The value zero.
    pub(super) zero: &'static str,
    /// What a value looks like.
    pub(super) examples: &'static str,
}

impl Scale {
    /// Parses a whole number and a unit, within bounds. Every value has few spellings, and none is rounded.
    pub(super) fn parse(&self, text: &str, min: u64, max: u64) -> Result<u64, String> {
        let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        if number.is_empty() {
            return Err(format!("{text:?} is not a whole number with a unit; write {}", self.examples));
        }
        if unit.is_empty() {
            return Err(format!("{text:?} has no unit; write {}", self.examples));
        }
        let Some((_, factor)) = self.units.iter().find(|(name, _)| *name == unit) else {
            return Err(format!("{text:?} has no known unit; write {}", self.examples));
        };
        let value = number.parse().ok().and_then(|number: u64| number.checked_mul(*factor));
        value
            .filter(|value| (min..=max).contains(value))
            .ok_or_else(|| format!("{text} is out of bounds; write {}", self.describe(min, max)))
    }

    /// Shows a value in the largest unit in which it is a whole number.
    pub(super) fn show(&self, value: u64) -> String {
        if value == 0 {
            return self.zero.to_owned();
        }
        let whole = self.units.iter().find_map(|(name, factor)| {
            let count = value.checked_div(*factor)?;
            (count.checked_mul(*factor) == Some(value)).then(|| format!("{count}{name}"))
        });
        whole.unwrap_or_default()
    }

    pub(super) fn describe(&self, min: u64, max: u64) -> String {
        format!("{} from {} to {}", self.noun, self.show(min), self.show(max))
    }
}
