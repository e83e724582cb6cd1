//! The command line: `serve` unless another command is given.

#![warn(clippy::arithmetic_side_effects)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
