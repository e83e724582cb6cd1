//! Names: a canonical form has a bounded length and is its own canonical form, and all spellings of a name have the
//! same one.

use unicode_normalization::{UnicodeNormalization as _, is_nfc};
use vestibule::domain::name::{MAX_LENGTH, Name, canonicalize};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let form = canonicalize(text);
    if let Some(form) = &form {
        let length = form.chars().count();
        assert!((1..=MAX_LENGTH).contains(&length), "{form:?} has {length} letters");
        assert_eq!(canonicalize(form).as_ref(), Some(form), "the canonical form is not idempotent");
        assert!(is_nfc(form), "{form:?} is not normalized");
        assert!(!form.chars().any(|letter| letter.is_control() || letter.is_whitespace()), "{form:?} is not plain");
        assert!(!form.contains('ς'), "{form:?} has a final sigma");
    }
    if let Ok(name) = Name::parse(text) {
        assert_eq!(Some(name.canonical()), form.as_deref(), "the name and its text have different canonical forms");
        assert_eq!(name.shown(), text.nfc().collect::<String>());
        let longest = name.shown().chars().count();
        assert!(name.canonical().chars().count() <= longest, "the canonical form is longer");
        let again = Name::parse(name.canonical()).expect("the canonical form must be a valid name");
        assert_eq!(again.canonical(), name.canonical());
        // The name is the same in uppercase and lowercase, except for a letter and a mark whose uppercase letter has
        // another lowercase letter.
        let changes = |letter| matches!(letter, 'ı' | '\u{345}');
        for other in [text.to_lowercase(), text.to_uppercase()] {
            if !text.chars().any(changes)
                && other.chars().count() == text.chars().count()
                && Name::parse(&other).is_ok()
            {
                assert_eq!(canonicalize(&other), form, "{other:?} and {text:?} are different names");
            }
        }
    }
}
