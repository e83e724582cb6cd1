//! The command line: `serve` unless another command is given.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
