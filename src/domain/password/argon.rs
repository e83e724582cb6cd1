//! argon2id: the cost of a hash, PHC strings, and the computation of hashes.

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Ident, Output, ParamsString, PasswordHash, Salt},
};

use crate::{domain::crypto::random_bytes, error::ServiceError};

/// The cost of one hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The memory in KiB.
    pub memory_kib: u32,
    /// The number of passes over the memory.
    pub iterations: u32,
    /// The number of lanes.
    pub parallelism: u32,
}

/// The minimum configurable cost, and the default (OWASP Password Storage Cheat Sheet, ASVS 5.0 appendix C).
pub const MIN_COST: Cost = Cost { memory_kib: 19_456, iterations: 2, parallelism: 1 };

/// The maximum cost of a hash. A stored hash with a higher cost is damaged or planted, and is not computed.
pub const MAX_COST: Cost = Cost { memory_kib: 262_144, iterations: 16, parallelism: 16 };

/// The length of a hash in bytes.
const TAG_LENGTH: usize = 32;

/// The length of the salt of a new hash in bytes.
const SALT_LENGTH: usize = 16;

/// The error of a cost that is out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "argon2 requires {} to {} KiB of memory (at least 8 KiB per lane), 1 to {} iterations and 1 to {} lanes",
    Params::MIN_M_COST, MAX_COST.memory_kib, MAX_COST.iterations, MAX_COST.parallelism
)]
pub struct InvalidCost;

impl Cost {
    /// Returns whether a hash of this cost costs an attacker at least as much as a hash of `other`, measured by the
    /// memory that each guess fills.
    pub const fn is_at_least(self, other: Self) -> bool {
        self.work() >= other.work()
    }

    const fn work(self) -> u64 {
        (self.memory_kib as u64).saturating_mul(self.iterations as u64)
    }

    /// Checks that a hash of this cost can be computed.
    ///
    /// # Errors
    /// Returns [`InvalidCost`] if a part of the cost is out of range.
    pub fn validate(self) -> Result<(), InvalidCost> {
        self.params().map(drop).ok_or(InvalidCost)
    }

    fn params(self) -> Option<Params> {
        let bounded = self.memory_kib <= MAX_COST.memory_kib
            && self.iterations <= MAX_COST.iterations
            && self.parallelism <= MAX_COST.parallelism;
        if !bounded {
            return None;
        }
        Params::new(self.memory_kib, self.iterations, self.parallelism, Some(TAG_LENGTH)).ok()
    }
}

/// A stored hash, read from its PHC string.
pub(super) struct StoredHash {
    pub(super) cost: Cost,
    salt: Salt,
    tag: Output,
}

impl StoredHash {
    /// Parses a PHC string. Returns `None` if it is not an argon2id hash that this service could have written.
    pub(super) fn parse(phc: &str) -> Option<Self> {
        let hash = PasswordHash::new(phc).ok()?;
        if hash.algorithm != Ident::new("argon2id").ok()? || hash.version != Some(Version::V0x13.into()) {
            return None;
        }
        let cost = Cost {
            memory_kib: hash.params.get_decimal("m")?,
            iterations: hash.params.get_decimal("t")?,
            parallelism: hash.params.get_decimal("p")?,
        };
        cost.params()?;
        // An additional or repeated parameter would change the computation.
        if hash.params.iter().count() != 3 {
            return None;
        }
        let tag = hash.hash?;
        (tag.len() == TAG_LENGTH).then_some(Self { cost, salt: hash.salt?, tag })
    }

    /// Returns a hash that no password matches, for unknown users.
    ///
    /// # Errors
    /// Returns [`ServiceError::Internal`] if the random generator fails.
    pub(super) fn dummy(cost: Cost) -> Result<Self, ServiceError> {
        let tag = random_bytes::<TAG_LENGTH>()?;
        let tag = Output::new(&tag).map_err(internal)?;
        Ok(Self { cost, salt: generate_salt()?, tag })
    }
}

/// An engine that computes argon2id hashes in memory that it reuses. Allocating the memory for each hash would take
/// about a tenth of the time of the hash.
pub(super) struct Engine {
    memory: Vec<Block>,
}

impl Engine {
    /// Creates an engine with enough memory for hashes of `cost`.
    pub(super) fn new(cost: Cost) -> Self {
        let blocks = cost.params().map_or(0, |params| params.block_count());
        Self { memory: vec![Block::new(); blocks] }
    }

    /// Returns whether `password` matches the stored hash. The comparison takes constant time.
    pub(super) fn verify(&mut self, password: &[u8], stored: &StoredHash) -> Result<bool, ServiceError> {
        let tag = self.compute(password, &stored.salt, stored.cost)?;
        Ok(aws_lc_rs::constant_time::verify_slices_are_equal(&tag, stored.tag.as_bytes()).is_ok())
    }

    /// Returns the PHC string of `password` with a new salt.
    pub(super) fn hash(&mut self, password: &[u8], cost: Cost) -> Result<String, ServiceError> {
        let salt = generate_salt()?;
        let tag = self.compute(password, &salt, cost)?;
        to_phc(cost, salt, &tag).map_err(internal)
    }

    fn compute(&mut self, password: &[u8], salt: &Salt, cost: Cost) -> Result<[u8; TAG_LENGTH], ServiceError> {
        let params = cost.params().ok_or_else(|| internal(InvalidCost))?;
        let blocks = params.block_count();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);

        let mut tag = [0; TAG_LENGTH];
        match self.memory.get_mut(..blocks) {
            Some(memory) => argon2.hash_password_into_with_memory(password, salt, &mut tag, memory),
            None => argon2.hash_password_into(password, salt, &mut tag),
        }
        .map_err(internal)?;
        Ok(tag)
    }
}

fn generate_salt() -> Result<Salt, ServiceError> {
    Salt::new(&random_bytes::<SALT_LENGTH>()?).map_err(internal)
}

fn to_phc(cost: Cost, salt: Salt, tag: &[u8]) -> Result<String, argon2::password_hash::phc::Error> {
    let mut params = ParamsString::new();
    params.add_decimal("m", cost.memory_kib)?;
    params.add_decimal("t", cost.iterations)?;
    params.add_decimal("p", cost.parallelism)?;
    let hash = PasswordHash {
        algorithm: Ident::new("argon2id")?,
        version: Some(Version::V0x13.into()),
        params,
        salt: Some(salt),
        hash: Some(Output::new(tag)?),
    };
    Ok(hash.to_string())
}

fn internal(error: impl std::fmt::Display) -> ServiceError {
    ServiceError::internal("hashing a password", error.to_string())
}
