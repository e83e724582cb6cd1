//! Passwords: the policy for new passwords, hashing and verification.

mod argon;
#[cfg(fuzzing)]
pub mod fuzzing;
mod hash_timings;
mod hasher;
mod job_queue;
mod normalized;
mod policy;

pub use self::{
    argon::{Cost, InvalidCost, MAX_COST, MIN_COST},
    hasher::{Hasher, HasherSettings, Verdict},
    normalized::NormalizedPassword,
    policy::{MAX_LENGTH, MIN_LENGTH, PasswordPolicy, Weakness},
};
