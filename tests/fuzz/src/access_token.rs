//! Access tokens: only genuine ones are accepted. Of tokens signed with the real key, only those with exactly the
//! header and claims of RFC 9068 are accepted, for this service and at this time.

use std::{sync::LazyLock, time::Duration};

use arbitrary::{Arbitrary, Result, Unstructured};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use vestibule::{
    clock::Timestamp,
    domain::{
        fuzzing::{issue_access_token, sign, signing_key_id, verify_access_token},
        token::access::TokenSubject,
    },
    ids::{SessionId, UserId},
};

use crate::{
    edits::{edited, last_letters},
    json::value,
    service::{APP, NOW, now},
};

/// The maximum length of a token in bytes.
const MAX_LENGTH: usize = 8 * 1024;
/// The clock leeway in seconds.
const LEEWAY: i64 = 5;
/// The maximum number of changed claims, because nested texts grow fast.
const MOST_CHANGES: usize = 6;
/// The nine claims of the service, in the order in which it writes them.
const CLAIMS: [&str; 8] = ["iss", "sub", "aud", "client_id", "exp", "iat", "jti", "sid"];

static BEARER: LazyLock<TokenSubject> =
    LazyLock::new(|| TokenSubject { user: UserId::from_bytes([0x3a; 16]), session: SessionId::from_bytes([0x5b; 16]) });

static REAL: LazyLock<String> = LazyLock::new(|| {
    let token = issue_access_token(&APP, *BEARER, now(), Duration::from_mins(10)).expect("there is a key");
    assert_eq!(verify_access_token(&APP, &token, now()), Some(*BEARER), "a genuine token must be accepted");
    token
});

static KEY: LazyLock<String> = LazyLock::new(|| signing_key_id(&APP));

pub(crate) fn run(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    match mode {
        b'l' => last_letters(&REAL).for_each(|text| unlike_the_real_one(&text)),
        b'r' => {
            if let Ok(text) = str::from_utf8(rest) {
                assert_eq!(verify_access_token(&APP, text, now()), None, "a forged token was accepted");
            }
        }
        // A header and claims, separated by a line break. `@kid` stands for the key ID.
        b's' => {
            let mut parts = rest.splitn(2, |byte| *byte == b'\n');
            if let (Some(header), Some(claims)) = (parts.next(), parts.next()) {
                let header = String::from_utf8_lossy(header).replace("@kid", &KEY);
                signed(header.as_bytes(), claims);
            }
        }
        b'i' => drop(issued(&mut Unstructured::new(rest))),
        b'c' => drop(changed_claims(&mut Unstructured::new(rest))),
        b'b' => drop(changed_bytes(&mut Unstructured::new(rest))),
        _ => {
            if let Ok(Ok(text)) = edited(REAL.as_bytes(), &mut Unstructured::new(rest)).map(String::from_utf8) {
                unlike_the_real_one(&text);
            }
        }
    }
}

fn unlike_the_real_one(token: &str) {
    let accepted = verify_access_token(&APP, token, now()).is_some();
    assert_eq!(accepted, token == *REAL, "{token} is not {}", *REAL);
}

/// Any issued token is accepted during its lifetime and by clocks within the leeway, but not outside.
fn issued(input: &mut Unstructured<'_>) -> Result<()> {
    let bearer = TokenSubject {
        user: UserId::from_bytes(input.arbitrary()?),
        session: SessionId::from_bytes(input.arbitrary()?),
    };
    let lasts: u32 = input.int_in_range(1..=3600)?;
    let made: u64 = input.int_in_range(10_000..=1 << 45)?;
    let later: i64 = input.int_in_range(-10_000..=1000 * i64::from(lasts) + 10_000)?;
    let token = issue_access_token(&APP, bearer, after_epoch(made), Duration::from_secs(lasts.into()));
    let now = made.saturating_add_signed(later);
    let seconds = |millis: u64| i64::try_from(millis / 1000).unwrap_or(i64::MAX);
    let begun = seconds(made) <= seconds(now) + LEEWAY;
    let ended = seconds(now) >= seconds(made) + i64::from(lasts) + LEEWAY;
    let accepted = verify_access_token(&APP, &token.expect("there is a key"), after_epoch(now));
    let expected = (begun && !ended).then_some(bearer);
    assert_eq!(accepted, expected, "issued at {made} ms for {lasts} s, verified {later} ms later");
    Ok(())
}

/// Returns the time this many milliseconds after the epoch.
fn after_epoch(millis: u64) -> Timestamp {
    Timestamp::from_micros(i64::try_from(millis).unwrap_or(i64::MAX).saturating_mul(1000))
}

/// Changes bytes of the header, claims or signature of the real token before base64url encoding.
fn changed_bytes(input: &mut Unstructured<'_>) -> Result<()> {
    let number = input.choose_index(3)?;
    let mut parts: Vec<_> = REAL.split('.').map(ToOwned::to_owned).collect();
    let bytes = URL_SAFE_NO_PAD.decode(&parts[number]).expect("it is base64url");
    parts[number] = URL_SAFE_NO_PAD.encode(edited(&bytes, input)?);
    unlike_the_real_one(&parts.join("."));
    Ok(())
}

/// A change to a claim.
#[derive(Arbitrary, Debug)]
enum Change {
    /// A time near now, around the clock leeway.
    Near(i8),
    Number(i64),
    Text(String),
    Add(char),
    Upper,
    InArray,
    AsText,
    AsFloat,
    Null,
    Remove,
    Repeat,
    Rename(String),
}

/// Changes some of the valid claims.
fn changed_claims(input: &mut Unstructured<'_>) -> Result<()> {
    let real = REAL.split('.').nth(1).and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok());
    let real: Value = real.and_then(|claims| serde_json::from_slice(&claims).ok()).expect("the claims are JSON");
    let mut claims: Vec<_> = CLAIMS.iter().map(|name| ((*name).to_owned(), real[name].clone())).collect();
    for _ in 0..MOST_CHANGES {
        if input.is_empty() || claims.is_empty() {
            break;
        }
        let number = input.choose_index(claims.len())?;
        let (name, value) = &mut claims[number];
        match Change::arbitrary(input)? {
            Change::Near(seconds) => *value = (NOW + i64::from(seconds)).into(),
            Change::Number(number) => *value = number.into(),
            Change::Text(text) => *value = text.into(),
            Change::Add(letter) => *value = format!("{}{letter}", value.as_str().unwrap_or_default()).into(),
            Change::Upper => *value = value.as_str().unwrap_or_default().to_uppercase().into(),
            Change::InArray => *value = Value::Array(vec![value.clone()]),
            Change::AsText => *value = value.to_string().into(),
            Change::AsFloat => *value = value.as_f64().unwrap_or_default().into(),
            Change::Null => *value = Value::Null,
            Change::Remove => drop(claims.remove(number)),
            Change::Repeat => claims.push(claims[number].clone()),
            Change::Rename(other) => *name = other,
        }
    }
    let members = claims.iter().map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())));
    let claims = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
    signed(format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{}"}}"#, *KEY).as_bytes(), claims.as_bytes());
    Ok(())
}

/// Signs the header and claims with the real key, and compares the service's result with the expected one.
fn signed(header: &[u8], claims: &[u8]) {
    let token = sign(&APP, header, claims).expect("the key signs");
    let accepted = verify_access_token(&APP, &token, now());
    let expected = expected(header, claims).filter(|_| token.len() <= MAX_LENGTH);
    let describe = || format!("{} {}", String::from_utf8_lossy(header), String::from_utf8_lossy(claims));
    match (accepted, expected) {
        (None, None) => {}
        (None, Some(_)) => panic!("rejected without a reason: {}", describe()),
        (Some(_), None) => panic!("accepted: {}", describe()),
        (Some(bearer), Some(Expected { user, session })) => {
            assert_eq!((bearer.user.to_string(), bearer.session.to_string()), (user, session));
        }
    }
}

/// The user and the session that a valid token belongs to.
struct Expected {
    user: String,
    session: String,
}

fn expected(header: &[u8], claims: &[u8]) -> Option<Expected> {
    let header = value(header)?;
    // Any other member is invalid.
    let three = header.as_object()?.len() == 3;
    if !three || header["typ"] != "at+jwt" || header["alg"] != "ES256" || header["kid"] != KEY.as_str() {
        return None;
    }
    let claims = value(claims)?;
    if CLAIMS.iter().any(|claim| claims.get(*claim).is_none()) {
        return None;
    }
    let text = |name: &str| claims[name].as_str();
    let [expires, made] = [claims["exp"].as_i64()?, claims["iat"].as_i64()?];
    let ours = text("iss")? == APP.tokens.issuer
        && text("aud")? == APP.tokens.audience
        && text("client_id")? == APP.tokens.client_id;
    let timely = expires > NOW - LEEWAY && (0..=NOW + LEEWAY).contains(&made);
    let (user, session, identifier) = (text("sub")?, text("sid")?, text("jti")?);
    let whole = is_uuid(user) && is_uuid(session) && !identifier.is_empty();
    (ours && timely && whole).then(|| Expected { user: user.to_owned(), session: session.to_owned() })
}

/// Whether the text is a UUID in its canonical spelling.
fn is_uuid(text: &str) -> bool {
    let hyphens = [8, 13, 18, 23];
    text.len() == 36
        && text.bytes().enumerate().all(|(place, letter)| match letter {
            b'-' => hyphens.contains(&place),
            b'0'..=b'9' | b'a'..=b'f' => !hyphens.contains(&place),
            _ => false,
        })
}
