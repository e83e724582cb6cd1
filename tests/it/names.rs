//! Usernames: the pattern in the document, the alphabets of languages, and the canonical form of RFC 8265.

use icu_locale::exemplar_chars::ExemplarCharacters;
use regex::Regex;
use unicode_normalization::{UnicodeNormalization as _, is_nfc};
use vestibule::domain::name::{self, Name, PATTERN};

use crate::support;

/// The languages whose alphabets are accepted whole: the official languages of the European Union, and languages of
/// Europe, Asia and Africa with the same scripts.
const LANGUAGES: &str = "bg hr cs da nl en et fi fr de el el-polyton hu ga it lv lt mt pl pt ro sk sl es sv \
    tr az vi is no nb nn sq bs bs-Cyrl sr sr-Latn mk uk be ru kk ky tg mn uz uz-Cyrl hy ka \
    ha yo ig sw id fil ja zh zh-Hant ko";

/// Returns the letters of a language, in lowercase and uppercase. Strings are letters that Unicode has no single
/// character for.
fn letters_of(language: &str) -> Vec<String> {
    let exemplars = ExemplarCharacters::try_new_main(&language.parse().unwrap()).unwrap();
    let single = exemplars.code_points().iter_chars().filter(|character| !is_mark(*character)).map(String::from);
    let lower: Vec<String> = single.chain(exemplars.strings().iter().map(ToString::to_string)).collect();
    let upper = lower.iter().map(|letter| letter.to_uppercase());
    let with_single_uppercase =
        upper.zip(&lower).filter(|(upper, lower)| upper.chars().count() == lower.chars().count());
    with_single_uppercase.map(|(upper, _)| upper).chain(lower.clone()).collect()
}

fn is_mark(character: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&character)
}

#[apply(trial)]
async fn alphabets_of_languages_are_accepted_whole() {
    for language in LANGUAGES.split_whitespace() {
        let letters = letters_of(language);
        assert!(letters.len() >= 23, "{language} has only {} letters", letters.len());
        for letter in letters {
            // The lowercase form of İ has two code points, and RFC 8265 refuses the capitals of Georgian headlines.
            let is_left_out = letter == "İ" || letter.starts_with(|first| ('\u{1c90}'..='\u{1cbf}').contains(&first));
            let name = Name::parse(&letter);
            assert_eq!(name.is_err(), is_left_out, "{language}: {letter} {name:?}");
        }
    }
}

#[apply(trial)]
async fn every_allowed_letter_has_a_canonical_form_of_the_same_length() {
    let pattern = Regex::new(PATTERN).unwrap();
    let is_letter = |letter: &char| is_nfc(&letter.to_string()) && pattern.is_match(&letter.to_string());
    let jamo = '\u{1100}'..='\u{1112}';
    let mut letters = 0;
    for letter in (0..=0xffff).filter_map(char::from_u32).filter(is_letter).filter(|letter| !jamo.contains(letter)) {
        letters += 1;
        for text in [letter.to_string(), format!("1{letter}"), format!("{letter}1{letter}")] {
            let form = name::canonicalize(&text).unwrap_or_else(|| panic!("{letter:?} is rejected"));
            assert_eq!(form.chars().count(), text.chars().count(), "{letter:?}");
            assert_eq!(name::canonicalize(&form).as_ref(), Some(&form), "{letter:?}");
            assert_eq!(Name::parse(&text).unwrap().canonical(), form);
        }
    }
    assert_eq!(letters, 40_010);
}

#[apply(trial)]
async fn normalization_does_not_change_the_pattern() {
    // A tool that normalizes the document must not reorder the combining marks of a character class.
    assert!(is_nfc(PATTERN));
}

#[apply(trial)]
async fn what_matches_the_pattern_is_a_name_unless_it_does_not_combine() {
    let pattern = Regex::new(PATTERN).unwrap();
    for character in (0..=0xffff).filter_map(char::from_u32) {
        for base in ["a", "α", "か", "\u{1100}"] {
            let text = format!("{base}{character}");
            match Name::parse(&text) {
                Ok(name) => {
                    assert!(pattern.is_match(&text), "{text:?}");
                    assert_eq!(name.shown(), text.nfc().collect::<String>());
                }
                Err(name::InvalidName::Combination) => assert!(pattern.is_match(&text), "{text:?}"),
                Err(_) => assert!(!pattern.is_match(&text), "{text:?}"),
            }
        }
    }
}

#[apply(trial)]
async fn alphabets_do_not_mix_in_one_name_s91() {
    let pattern = Regex::new(PATTERN).unwrap();
    let letters = ["a", "α", "а", "ա", "ა"];
    for (one, first) in letters.iter().enumerate() {
        for (other, second) in letters.iter().enumerate() {
            for text in [format!("{first}{second}"), format!("{first}1.王{second}")] {
                let allowed = one == other;
                assert_eq!(Name::parse(&text).is_ok(), allowed, "{text}");
                assert_eq!(pattern.is_match(&text), allowed, "{text}");
            }
        }
    }
}

#[apply(trial)]
async fn canonical_form_is_idempotent_for_long_names() {
    let pattern = Regex::new(PATTERN).unwrap();
    let letters = ["a", "α", "а", "ա", "ა"].map(|base| {
        let joins = |letter: &char| Name::parse(&format!("{base}{letter}")).is_ok();
        (0..=0xffff).filter_map(char::from_u32).filter(joins).collect::<Vec<_>>()
    });
    let mut names = 0;
    // This is a full period of a linear congruential generator, so every letter occurs next to letters of other
    // scripts.
    let mut position = 1;
    for number in 0..support::rounds(20_000, 400_000) {
        let mut text = String::from("1");
        let letters = &letters[number % letters.len()];
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
        let name = Name::parse(&text).unwrap_or_else(|error| panic!("{text:?} {error}"));
        names += 1;
        assert!(name.canonical().chars().count() <= name.shown().chars().count(), "{text:?}");
        assert_eq!(name::canonicalize(name.canonical()).as_deref(), Some(name.canonical()), "{text:?}");
        assert_eq!(name::canonicalize(&text).as_deref(), Some(name.canonical()), "{text:?}");
        assert_eq!(Name::parse(name.canonical()).unwrap().canonical(), name.canonical(), "{text:?}");
    }
    assert!(names > support::rounds(10_000, 200_000), "only {names} names were tried");
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
