//! User names: the pattern in the document, and the canonical form of RFC 8265.

use crate::support;
use regex::Regex;
use vestibule::domain::name::{self, Name, PATTERN};

#[apply(trial)]
async fn every_allowed_letter_has_a_canonical_form_of_the_same_length() {
    let pattern = Regex::new(PATTERN).unwrap();
    let mut letters = 0;
    for letter in (0..=0xffff).filter_map(char::from_u32) {
        for text in [letter.to_string(), format!("a{letter}"), format!("{letter}1{letter}")] {
            if pattern.is_match(&text) {
                let form = name::canonicalize(&text).unwrap_or_else(|| panic!("{letter:?} is rejected"));
                assert_eq!(form.chars().count(), text.chars().count(), "{letter:?}");
                assert_eq!(name::canonicalize(&form).as_ref(), Some(&form), "{letter:?}");
                assert_eq!(Name::parse(&text).unwrap().canonical(), form);
                letters += 1;
            } else {
                assert!(Name::parse(&text).is_err(), "{letter:?}");
            }
        }
    }
    assert_eq!(letters, 3 * 32_980);
}

#[apply(trial)]
async fn canonical_form_is_idempotent_for_long_names() {
    let pattern = Regex::new(PATTERN).unwrap();
    let single = |letter: &char| pattern.is_match(&letter.to_string());
    let letters: Vec<char> = (0..=0xffff).filter_map(char::from_u32).filter(single).collect();
    // This is a full period of a linear congruential generator, so every letter occurs next to letters of other
    // scripts.
    let mut position = 1;
    for number in 0..support::rounds(20_000, 400_000) {
        let mut text = String::new();
        for place in 0..=(number % 80) {
            position = (position * 75 + 74) % 65_537;
            text.push(letters[position % letters.len()]);
            if place % 7 == 3 && place < number % 80 && text.chars().count() < 70 {
                text.push(['.', '_', '-'][position % 3]);
            }
        }
        if text.chars().count() > 80 || !pattern.is_match(&text) {
            continue;
        }
        let form = name::canonicalize(&text).unwrap_or_else(|| panic!("{text:?} is rejected"));
        assert_eq!(form.chars().count(), text.chars().count(), "{text:?}");
        assert_eq!(name::canonicalize(&form), Some(form), "{text:?}");
    }
}

#[apply(trial)]
async fn spellings_of_one_name_are_equal() {
    for (one, other) in
        [("Bob", "bob"), ("ＢＯＢ", "bob"), ("É", "e\u{301}"), ("ΟΔΟΣ", "οδος"), ("οδοσ", "οδος"), ("ДОМ", "дом")]
    {
        assert!(name::canonicalize(one).is_some(), "{one}");
        assert_eq!(name::canonicalize(one), name::canonicalize(other), "{one} {other}");
    }
}

#[apply(trial)]
async fn different_names_stay_different() {
    for (one, other) in [("é", "e"), ("ß", "ss"), ("a.b", "ab"), ("аdmin", "admin"), ("o", "0")] {
        assert_ne!(name::canonicalize(one), name::canonicalize(other), "{one} {other}");
    }
}

#[apply(trial)]
async fn names_outside_the_profile_have_no_canonical_form() {
    for text in ["", "two words", "a\u{0}", "ᴮᴼᴮ", "a\u{200b}b", "½", "\u{202e}abc", "a\u{5d0}", &"x".repeat(81), "🦀"]
    {
        assert_eq!(name::canonicalize(text), None, "{text:?}");
    }
}

#[apply(trial)]
async fn canonical_form_is_idempotent_for_every_letter() {
    for letter in (0..=0x0001_ffff).filter_map(char::from_u32) {
        for text in [letter.to_string(), format!("a{letter}")] {
            if let Some(form) = name::canonicalize(&text) {
                assert_eq!(name::canonicalize(&form).as_ref(), Some(&form), "{text:?}");
            }
        }
    }
    assert_eq!(name::canonicalize("\u{13b4}"), None, "its lowercase letter is not allowed");
}
