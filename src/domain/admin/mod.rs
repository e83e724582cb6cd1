//! Use cases of operators, for the command line.

pub mod reset_keys;
pub mod users;
