//! Use cases of operators, at the command line.

pub mod reset_keys;
pub mod users;
