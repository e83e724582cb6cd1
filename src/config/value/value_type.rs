//! What every type of a setting can do.

/// How TOML writes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// As it is: a number, `true` or `false`.
    Bare,
    /// In quotes.
    Quoted,
    /// As a list of texts; a variable has commas between them.
    List,
}

/// The type of a setting. The reason of an error says what is wrong and what to write.
pub trait Value: Sized {
    /// How TOML writes it.
    const NOTATION: Notation;

    /// Parses a text, as a variable has it.
    ///
    /// # Errors
    /// The reason why the text is not such a value.
    fn parse(text: &str) -> Result<Self, String>;

    /// Parses a list of the file.
    ///
    /// # Errors
    /// The reason why the list is not such a value.
    fn parse_list<'a>(_items: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        Err(format!("is a list; write {}", Self::describe()))
    }

    /// Shows the value as [`Self::parse`] reads it, with secrets redacted.
    fn show(&self) -> String;

    /// Describes the type and its bounds, such as "a duration from 1s to 5m".
    fn describe() -> String;
}
