//! Edits of a valid text.

use arbitrary::{Arbitrary, Result, Unstructured};

/// The base64url alphabet.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// One edit. Positions wrap around; negative ones count from the end.
#[derive(Arbitrary, Debug)]
enum Edit {
    Flip { at: i16, bit: u8 },
    Replace { at: i16, with: u8 },
    Letter { at: i16, number: u8 },
    Insert { at: i16, what: u8 },
    Remove { at: i16, bytes: u8 },
    Repeat { at: i16, bytes: u8 },
    End { at: i16 },
    Swap { one: i16, other: i16 },
}

/// Applies the edits that the input describes.
pub(crate) fn edited(text: &[u8], input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut text = text.to_vec();
    while !input.is_empty() && !text.is_empty() {
        let length = text.len();
        let place = |at: i16| {
            let from_an_end = usize::from(at.unsigned_abs()) % length;
            if at < 0 && from_an_end > 0 { length - from_an_end } else { from_an_end }
        };
        match Edit::arbitrary(input)? {
            Edit::Flip { at, bit } => {
                let at = place(at);
                text[at] ^= 1 << (bit % 8);
            }
            Edit::Replace { at, with } => {
                let at = place(at);
                text[at] = with;
            }
            Edit::Letter { at, number } => {
                let at = place(at);
                text[at] = LETTERS[usize::from(number) % LETTERS.len()];
            }
            Edit::Insert { at, what } => {
                let at = place(at);
                text.insert(at, what);
            }
            Edit::Remove { at, bytes } => {
                let at = place(at);
                text.drain(at..text.len().min(at + usize::from(bytes)));
            }
            Edit::Repeat { at, bytes } => {
                let at = place(at);
                let again = text[at..text.len().min(at + usize::from(bytes))].to_vec();
                text.splice(at..at, again);
            }
            Edit::End { at } => {
                let at = place(at);
                text.truncate(at);
            }
            Edit::Swap { one, other } => {
                let (one, other) = (place(one), place(other));
                text.swap(one, other);
            }
        }
    }
    Ok(text)
}

/// Replaces the last character with every character of base64url. Some of them decode to the same bytes.
pub(crate) fn last_letters(text: &str) -> impl Iterator<Item = String> {
    let rest = &text[..text.len() - 1];
    LETTERS.iter().map(move |letter| format!("{rest}{}", char::from(*letter)))
}
