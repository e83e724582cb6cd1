//! The commands, their help and their exit codes.

mod audit;
mod backup;
mod command;
mod config;
mod failure;
mod keys;
mod serve;
mod start_message;
mod terminal;
mod user;

pub(crate) use self::command::run;
