//! The command line. The default command is `serve`.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::string_slice)]
#![warn(clippy::get_unwrap, clippy::panic_in_result_fn, clippy::unreachable, clippy::unwrap_in_result)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
