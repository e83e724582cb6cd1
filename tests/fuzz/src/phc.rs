//! Stored hashes: an accepted hash costs no more than the service allows, has the cost that its text states, and
//! matches a password only if argon2id says so. A rejected hash costs one hash at the current cost and does not match.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use vestibule::domain::password::{
    Cost, Verdict,
    fuzzing::{cost_of, verify},
};

use crate::service::{APP, RUNTIME};

/// The password to check the hashes with.
const PASSWORD: &str = "my_password";
/// The maximum of memory times iterations for a hash that is computed here, in KiB.
const CHEAP: u32 = 1024;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let cost = cost_of(text);
    if let Some(cost) = cost {
        let Cost { memory_kib, iterations, parallelism } = cost;
        assert!((8 * parallelism..=262_144).contains(&memory_kib), "{text} has too much memory, or too little");
        assert!((1..=16).contains(&iterations) && (1..=16).contains(&parallelism), "{text} has too high a cost");
        assert_eq!(Some(cost), written(text), "{text} is parsed as another cost");
        if memory_kib * iterations > CHEAP {
            return;
        }
    }
    let before = APP.hasher.computed();
    let verdict = RUNTIME.block_on(verify(&APP.hasher, PASSWORD, text));
    assert_eq!(APP.hasher.computed() - before, 1, "every check must cost one hash");
    let right = cost.is_some_and(|cost| is_right(text, cost));
    match verdict {
        Some(Verdict::Match { .. }) => assert!(right, "{text} is not a hash of the password, but matches"),
        Some(Verdict::Mismatch) => assert!(!right, "{text} is a hash of the password, but does not match"),
        None => panic!("{text} makes a login fail"),
    }
}

/// The parts of a PHC string: algorithm, version, parameters, salt, tag.
fn parts(text: &str) -> Option<[&str; 5]> {
    text.strip_prefix('$')?.split('$').collect::<Vec<_>>().try_into().ok()
}

/// Returns the cost that an argon2id PHC string of version 19 states.
fn written(text: &str) -> Option<Cost> {
    let [algorithm, version, parameters, ..] = parts(text)?;
    let number = |name: &str| {
        let mut all = parameters.split(',').filter_map(|pair| pair.split_once('=')).filter(|(key, _)| *key == name);
        let (_, value) = all.next()?;
        if all.next().is_none() { value.parse().ok() } else { None }
    };
    let cost = Cost { memory_kib: number("m")?, iterations: number("t")?, parallelism: number("p")? };
    (algorithm == "argon2id" && version == "v=19").then_some(cost)
}

/// Whether the text is a hash of the password.
fn is_right(text: &str, cost: Cost) -> bool {
    let hash = || {
        let [.., salt, tag] = parts(text)?;
        let (salt, tag) = (STANDARD_NO_PAD.decode(salt).ok()?, STANDARD_NO_PAD.decode(tag).ok()?);
        let params = Params::new(cost.memory_kib, cost.iterations, cost.parallelism, Some(tag.len())).ok()?;
        let mut own = vec![0; tag.len()];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into(PASSWORD.as_bytes(), &salt, &mut own).ok()?;
        Some(own == tag)
    };
    hash().unwrap_or(false)
}
