//! The output and the prompts of commands.

use std::io::{self, Write as _};

use super::failure::Failure;

/// Prints text to standard output. A closed pipe is not an error.
pub(super) fn print_text(text: &str) -> Result<(), Failure> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Prints a value as one JSON document to standard output.
pub(super) fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::new(Failure::FAILED, error))?;
    print_text(&(text + "\n"))
}

/// Prints the message of a failed command to standard error. If that fails, there is nowhere left to report it.
pub(super) fn print_error(reason: &str) {
    drop(writeln!(io::stderr(), "vestibule: {reason}"));
}

/// Prompts for confirmation, unless `--yes` was given.
pub(super) fn confirm(question: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    print_text(&format!("{question} Type yes to continue: "))?;
    io::stdout().flush()?;

    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    if answer.trim() == "yes" {
        Ok(())
    } else {
        Err(Failure::new(Failure::REJECTED, "not confirmed; nothing was changed"))
    }
}
