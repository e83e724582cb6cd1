//! Names: a canonical form is bounded and is its own canonical form, and every spelling that it has leads to it.

use unicode_normalization::is_nfc;
use vestibule::domain::name::{MAX_LENGTH, Name, canonicalize};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let form = canonicalize(text);
    if let Some(form) = &form {
        let length = form.chars().count();
        assert!((1..=MAX_LENGTH).contains(&length), "{form:?} has {length} letters");
        assert_eq!(canonicalize(form).as_ref(), Some(form), "the form has another form");
        assert!(is_nfc(form), "{form:?} is not normalised");
        assert!(!form.chars().any(|letter| letter.is_control() || letter.is_whitespace()), "{form:?} is not plain");
        assert!(!form.contains('ς'), "{form:?} has a final sigma");
    }
    if let Ok(name) = Name::parse(text) {
        assert_eq!(Some(name.canonical()), form.as_deref(), "one name is found by another form than it has");
        assert_eq!(name.shown(), text);
        assert_eq!(name.canonical().chars().count(), text.chars().count(), "the form has another length");
        let again = Name::parse(name.canonical()).expect("the form of a name is a name");
        assert_eq!(again.canonical(), name.canonical());
        // Typed in capitals, or in small letters, it is the same name.
        for other in [text.to_lowercase(), text.to_uppercase()] {
            if other.chars().count() == text.chars().count() && Name::parse(&other).is_ok() {
                assert_eq!(canonicalize(&other), form, "{other:?} is another name than {text:?}");
            }
        }
    }
}
