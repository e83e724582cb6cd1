//! Work that one instance does for all.

mod lease;

pub use self::lease::claim;
