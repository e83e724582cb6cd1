//! Commands, their help and their exit codes.

mod audit;
mod command;
mod config;
mod failure;
mod keys;
mod serve;
mod terminal;
mod user;

pub(crate) use self::command::run;
