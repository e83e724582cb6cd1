//! Changes of a text that is right.

use arbitrary::{Arbitrary, Result, Unstructured};

/// One change; places count round.
#[derive(Arbitrary, Debug)]
enum Edit {
    Flip { at: u16, bit: u8 },
    Replace { at: u16, with: u8 },
    Insert { at: u16, what: u8 },
    Remove { at: u16, bytes: u8 },
    Repeat { at: u16, bytes: u8 },
    End { at: u16 },
    Swap { one: u16, other: u16 },
}

/// The text after the changes that the input describes.
pub(crate) fn edited(text: &[u8], input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut text = text.to_vec();
    while !input.is_empty() && !text.is_empty() {
        let place = |at: u16| usize::from(at) % text.len();
        match Edit::arbitrary(input)? {
            Edit::Flip { at, bit } => {
                let at = place(at);
                text[at] ^= 1 << (bit % 8);
            }
            Edit::Replace { at, with } => {
                let at = place(at);
                text[at] = with;
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
