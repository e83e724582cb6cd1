//! Refresh tokens: only tokens made with the key are accepted. Each decodes to what it was made from and has only one
//! encoding.

use std::sync::LazyLock;

use arbitrary::Unstructured;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use vestibule::{
    domain::{
        fuzzing::{issue_refresh_token, read_refresh_token, refresh_key_id, with_mac},
        token::refresh::PREFIX,
    },
    ids::SessionId,
};

use crate::{
    edits::{edited, last_letters},
    service::APP,
};

/// Version, two identifiers, counter, secret.
const LENGTH: usize = 1 + 16 + 16 + 8 + 16;

static REAL: LazyLock<String> = LazyLock::new(|| {
    let token = issue_refresh_token(&APP, SessionId::from_bytes([7; 16]), 1, [9; 16]);
    assert!(read_refresh_token(&APP, &token).is_some(), "a genuine token must be accepted");
    token
});

pub(crate) fn run(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    match mode {
        b'm' => made_with_the_key(rest),
        // The same with the right key ID.
        b'k' => {
            let mut message = rest.to_vec();
            if let Some(place) = message.get_mut(1..17) {
                place.copy_from_slice(&refresh_key_id(&APP));
            }
            made_with_the_key(&message);
        }
        b'l' => last_letters(&REAL).for_each(|text| unlike_the_real_one(&text)),
        b'r' => {
            if let Ok(text) = str::from_utf8(rest) {
                assert!(read_refresh_token(&APP, text).is_none(), "a forged token was accepted");
                assert!(read_refresh_token(&APP, &format!("{PREFIX}{text}")).is_none(), "a forged token was accepted");
            }
        }
        b'b' => {
            let bytes = URL_SAFE_NO_PAD.decode(&REAL[PREFIX.len()..]).expect("it is base64url");
            if let Ok(bytes) = edited(&bytes, &mut Unstructured::new(rest)) {
                unlike_the_real_one(&format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)));
            }
        }
        _ => {
            if let Ok(Ok(text)) = edited(REAL.as_bytes(), &mut Unstructured::new(rest)).map(String::from_utf8) {
                unlike_the_real_one(&text);
            }
        }
    }
}

fn unlike_the_real_one(token: &str) {
    assert_eq!(read_refresh_token(&APP, token).is_some(), token == *REAL, "{token} is not {}", *REAL);
}

/// A token of any bytes with a valid MAC is accepted only if the bytes have the form of a token, and it decodes to
/// them.
fn made_with_the_key(message: &[u8]) {
    let token = with_mac(&APP, message);
    let formed = message.len() == LENGTH && message[0] == 1 && message[1..17] == refresh_key_id(&APP);
    let Some((session, counter, secret)) = read_refresh_token(&APP, &token) else {
        assert!(!formed, "{token} was rejected without a reason");
        return;
    };
    assert!(formed, "{token} was accepted, but is malformed");
    assert_eq!(session.as_bytes()[..], message[17..33]);
    assert_eq!(counter.to_be_bytes()[..], message[33..41]);
    assert_eq!(secret[..], message[41..]);
    assert_eq!(issue_refresh_token(&APP, session, counter, secret), token, "the token has a second encoding");
}
