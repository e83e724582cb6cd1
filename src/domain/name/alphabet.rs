//! The letters of usernames: the alphabets, and the pattern of the OpenAPI document.

use std::fmt;

/// The maximum length of a username, in code points.
pub const MAX_LENGTH: usize = 80;
/// The maximum number of combining marks after a letter. A letter of Vietnamese has at most two, and one of polytonic
/// Greek three.
pub(super) const MAX_MARKS: usize = 3;

/// Declares a set of letters once, for the check and for the pattern: as a function, and as a macro that returns the
/// inside of a character class.
macro_rules! letters {
    ($is:ident, $class:ident: $($first:literal $(..= $last:literal)?),+ $(,)?) => {
        const fn $is(character: char) -> bool {
            matches!(character, $($first $(..= $last)?)|+)
        }

        macro_rules! $class {
            () => {
                concat!($($first, $("-", $last,)?)+)
            };
        }
    };
}

letters! { is_latin, latin:
    'A'..='Z', 'a'..='z',
    'À'..='Ö', 'Ø'..='ö', 'ø'..='į', 'ı', 'Ĵ'..='ľ', 'Ł'..='ň', 'Ŋ'..='ž',
    'Ɓ', 'Ɗ', 'Ə', 'Ƙ'..='ƙ', 'Ơ'..='ơ', 'Ư'..='ư', 'Ƴ'..='ƴ', 'Ǎ'..='ǜ', 'Ǟ'..='ǣ', 'Ǧ'..='ǭ', 'ǰ',
    'Ǵ'..='ǵ', 'Ǹ'..='ț', 'Ȟ'..='ȟ', 'Ȧ'..='ȳ', 'ɓ', 'ɗ', 'ə', 'Ḁ'..='ẙ', 'Ạ'..='ỿ',
}

letters! { is_greek, greek:
    'Ά', 'Έ'..='Ί', 'Ό', 'Ύ'..='Ρ', 'Σ'..='ώ',
    'ἀ'..='ἕ', 'Ἐ'..='Ἕ', 'ἠ'..='ὅ', 'Ὀ'..='Ὅ', 'ὐ'..='ὗ', 'Ὑ', 'Ὓ', 'Ὕ', 'Ὗ'..='ὰ', 'ὲ', 'ὴ', 'ὶ', 'ὸ', 'ὺ', 'ὼ',
    'ᾀ'..='ᾇ', 'ᾐ'..='ᾗ', 'ᾠ'..='ᾧ', 'ᾰ'..='ᾴ', 'ᾶ'..='Ὰ', 'ῂ'..='ῄ', 'ῆ'..='Ὲ', 'Ὴ', 'ῐ'..='ῒ', 'ῖ'..='Ὶ',
    'ῠ'..='ῢ', 'ῤ'..='Ὺ', 'Ῥ', 'ῲ'..='ῴ', 'ῶ'..='Ὸ', 'Ὼ',
}

letters! { is_cyrillic, cyrillic:
    'Ѐ'..='ѿ', 'Ґ'..='ғ', 'Қ'..='қ', 'Ң'..='ң', 'Ү'..='ҳ', 'Ҷ'..='ҷ', 'Һ'..='һ', 'Ӂ'..='ӂ', 'Ӑ'..='ӓ', 'Ӗ'..='ӟ',
    'Ӣ'..='ӵ', 'Ӹ'..='ӹ',
}

letters! { is_armenian, armenian: 'Ա'..='Ֆ', 'ա'..='ֆ' }

letters! { is_georgian, georgian: 'ა'..='ჰ' }

// Digits, the apostrophe letters of Uzbek and Ukrainian, kana, Chinese characters and Hangul syllables. They may occur
// beside the letters of any alphabet.
letters! { is_shared, shared:
    '0'..='9', 'ʻ'..='ʼ',
    'ぁ'..='ゖ', 'ゝ'..='ゞ', 'ァ'..='ヺ', 'ー'..='ヾ',
    '々', '〇', '㐀'..='䶵', '一'..='鿌',
    '가'..='힣',
}

// The first letters of decomposed Hangul syllables.
letters! { is_jamo, jamo: '\u{1100}'..='\u{1112}' }

// Without U+0340, U+0341, U+0343 and U+0344, which normalization replaces: the last one becomes two characters.
letters! { is_diacritic, diacritic: '\u{300}'..='\u{33f}', '\u{342}', '\u{345}' }

// The other parts of decomposed kana and Hangul syllables: voicing marks, vowels and final consonants.
letters! { is_tail, tail: '\u{3099}'..='\u{309a}', '\u{1161}'..='\u{1175}', '\u{11a8}'..='\u{11c2}' }

/// A letter with its combining marks, in a name of one alphabet.
macro_rules! letter {
    ($alphabet:ident) => {
        concat!("[", shared!(), jamo!(), $alphabet!(), "][", tail!(), diacritic!(), "]{0,3}")
    };
}

/// A name of one alphabet.
macro_rules! name {
    ($alphabet:ident) => {
        concat!(letter!($alphabet), "(?:[._-]?", letter!($alphabet), ")*")
    };
}

/// The regular expression of usernames that can be registered: letters and digits, which single dots, underscores or
/// hyphens may separate. A name does not mix alphabets, whose letters look alike (UTS 39).
///
/// It consists of literal ranges only, so that every regular expression engine interprets it in the same way. After
/// normalization, the profile `UsernameCaseMapped` of RFC 8265 accepts the letters, and each has one canonical form of
/// the same length. The set may grow but not shrink, because the usernames of existing users must stay valid.
///
/// The letters are the main exemplar characters of Unicode CLDR for the languages in `tests/it/names.rs`, and their
/// other combinations with diacritics. These scripts are left out:
///
/// | script | reason |
/// |---|---|
/// | Arabic, Hebrew | The bidirectional rule of RFC 8265 restricts how letters and digits follow each other, and single characters do not show it. |
/// | Devanagari, Bengali, Tamil | Their vowel signs and joiners need rules for sequences, not for characters. |
/// | Thai | RFC 8265 refuses `ำ`, which many names contain. |
pub const PATTERN: &str = concat!(
    "^(?:",
    name!(latin),
    "|",
    name!(greek),
    "|",
    name!(cyrillic),
    "|",
    name!(armenian),
    "|",
    name!(georgian),
    ")$",
);

/// An alphabet whose letters resemble letters of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// The Latin alphabet.
    Latin,
    /// The Greek alphabet.
    Greek,
    /// The Cyrillic alphabet.
    Cyrillic,
    /// The Armenian alphabet.
    Armenian,
    /// The Georgian alphabet.
    Georgian,
}

impl fmt::Display for Alphabet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Latin => "Latin",
            Self::Greek => "Greek",
            Self::Cyrillic => "Cyrillic",
            Self::Armenian => "Armenian",
            Self::Georgian => "Georgian",
        })
    }
}

/// What a character is in a username.
pub(super) enum Class {
    /// A letter of an alphabet.
    Letter(Alphabet),
    /// A letter or digit that may occur beside any alphabet.
    Shared,
    /// The first letter of a decomposed Hangul syllable.
    Jamo,
    /// A combining diacritic.
    Diacritic,
    /// Another part of a decomposed kana or Hangul syllable.
    Tail,
    /// A dot, underscore or hyphen.
    Separator,
    /// A character that no username contains.
    Other,
}

impl Class {
    pub(super) const fn of(character: char) -> Self {
        match character {
            '.' | '_' | '-' => Self::Separator,
            _ if is_shared(character) => Self::Shared,
            _ if is_jamo(character) => Self::Jamo,
            _ if is_diacritic(character) => Self::Diacritic,
            _ if is_tail(character) => Self::Tail,
            _ if is_latin(character) => Self::Letter(Alphabet::Latin),
            _ if is_greek(character) => Self::Letter(Alphabet::Greek),
            _ if is_cyrillic(character) => Self::Letter(Alphabet::Cyrillic),
            _ if is_armenian(character) => Self::Letter(Alphabet::Armenian),
            _ if is_georgian(character) => Self::Letter(Alphabet::Georgian),
            _ => Self::Other,
        }
    }
}
