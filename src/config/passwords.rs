//! `[passwords]`

use super::{
    error::ConfigError,
    server::Server,
    settings_macro::settings,
    units::{BoundedDuration, KIB, MILLISECOND, SECOND, Size},
    value::Count,
};
use crate::domain::password::{Cost, MAX_COST, MIN_COST, MIN_LENGTH};

settings! {
    /// Passwords and their argon2id hashes.
    pub struct Passwords as "passwords" {
        /// The minimum length of a new password, in characters.
        min_length: Count<usize, { MIN_LENGTH as u64 }, 64> = "8",
        /// The memory of one hash; at least `19MiB`.
        hash_memory: Size<u32, { 8 * KIB }, { MAX_COST.memory_kib as u64 * KIB }> = "19MiB",
        /// The number of passes of one hash; at least 2.
        hash_iterations: Count<u32, 1, { MAX_COST.iterations as u64 }> = "2",
        /// The number of lanes of one hash. Each lane needs at least `8KiB` of memory.
        hash_parallelism: Count<u32, 1, { MAX_COST.parallelism as u64 }> = "1",
        /// The number of threads that hash passwords. If unset, one per processor core.
        hash_threads: Option<Count<usize, 1, 1024>> = "",
        /// The number of passwords that may wait for a thread. If the queue is full, the server returns 503. If unset,
        /// four per thread.
        queue_length: Option<Count<usize, 1, 1_000_000>> = "",
        /// How long hashing a password may take, including the wait for a thread. After that, the server returns 503.
        queue_timeout: BoundedDuration<{ 100 * MILLISECOND }, { 30 * SECOND }> = "2s",
        /// Allows less memory and fewer passes than the minimum. Use it only for tests; every address in
        /// `server.listen` must then be a loopback address.
        weak_hashing_for_tests: bool = "false",
    }
}

impl Passwords {
    pub(super) fn validate(&self, server: &Server) -> Result<(), ConfigError> {
        let cost = self.cost();
        cost.validate().map_err(|error| ConfigError::setting("passwords.hash_memory", error))?;
        if self.weak_hashing_for_tests {
            return if server.is_loopback() {
                Ok(())
            } else {
                let reason = "must be false unless every address in server.listen is a loopback address";
                Err(ConfigError::setting("passwords.weak_hashing_for_tests", reason))
            };
        }
        if cost.memory_kib < MIN_COST.memory_kib {
            return Err(ConfigError::setting(
                "passwords.hash_memory",
                format_args!("is too small; write at least {}KiB", MIN_COST.memory_kib),
            ));
        }
        if cost.iterations < MIN_COST.iterations {
            let reason = format_args!("is too small; write at least {}", MIN_COST.iterations);
            return Err(ConfigError::setting("passwords.hash_iterations", reason));
        }
        Ok(())
    }

    /// Returns the cost of one hash.
    pub const fn cost(&self) -> Cost {
        Cost {
            memory_kib: self.hash_memory.bytes() / 1024,
            iterations: self.hash_iterations.get(),
            parallelism: self.hash_parallelism.get(),
        }
    }
}
