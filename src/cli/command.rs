//! The command line, and the dispatch of its commands.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::{Parser, Subcommand};
use vestibule::{
    api::document::document,
    clock::Clock,
    config::{Config, RawSettings},
    domain::app::App,
    startup, telemetry,
};

use super::{
    audit, config,
    failure::Failure,
    keys, serve,
    terminal::{print_error, print_text},
    user,
};

/// The login service that a team puts in front of its own applications.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES)]
struct Arguments {
    /// Read this file instead of vestibule.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

const EXIT_CODES: &str = "\
Settings come from vestibule.toml and from variables VESTIBULE_<SECTION>__<SETTING>, which win.

Exit codes:
  0  done
  1  failed: the database, a file or the network
  2  the command line is not understood
  3  there is no such user
  4  the user name is taken
  5  the user name or the password violates a rule, or the prompt was declined
  6  the configuration or a key cannot be used
  7  the audit log is not as it was written";

#[derive(Subcommand)]
enum Command {
    /// Run the server (also without a command)
    Serve,
    /// Print the OpenAPI document; needs no configuration and no database
    Openapi {
        /// Print JSON instead of YAML
        #[arg(long)]
        json: bool,
    },
    /// Bring the database to the current schema, then stop
    Migrate,
    /// Manage users, also while the server runs
    #[command(subcommand)]
    User(user::Command),
    /// Manage the master key and what it seals
    #[command(subcommand)]
    Keys(keys::Command),
    /// List and verify the audit log: who did what, from where, and how it ended
    #[command(subcommand)]
    Audit(audit::Command),
    /// Check, show and document the settings; opens no database
    #[command(subcommand)]
    Config(config::Command),
}

/// Runs the command that the process was started with.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    match execute(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            print_error(&failure.reason);
            ExitCode::from(failure.code)
        }
    }
}

/// Runs a command that needs no configuration, or loads the configuration for the others.
fn execute(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Openapi { json } => {
            let document = document()?;
            print_text(if json { &document.json } else { &document.yaml })
        }
        Command::Keys(keys::Command::Generate) => keys::generate(),
        Command::Config(config::Command::Example) => config::example(),
        Command::Config(config::Command::Reference) => config::reference(),
        command => {
            let raw = Config::load_settings(arguments.config.as_deref())?;
            let config = Config::from_settings(&raw)?;
            let telemetry = start_telemetry(&config, &command)?;
            startup::warn_of_loose_config(arguments.config.as_deref(), &config);

            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            let outcome = runtime.block_on(execute_configured(&config, &raw, command));
            telemetry.stop();
            outcome
        }
    }
}

async fn execute_configured(settings: &Config, raw: &RawSettings, command: Command) -> Result<(), Failure> {
    match command {
        Command::Migrate => {
            startup::open_database(settings, &Arc::default()).await?;
            Ok(())
        }
        Command::User(command) => user::run(&open_app(settings).await?, command).await,
        Command::Keys(command) => keys::run(settings, command).await,
        Command::Audit(command) => audit::run(&open_app(settings).await?, command).await,
        Command::Config(command) => config::run(settings, raw, &command),
        Command::Serve | Command::Openapi { .. } => Box::pin(serve::run(settings)).await,
    }
}

/// Starts the log. Only the server exports traces.
fn start_telemetry(config: &Config, command: &Command) -> Result<telemetry::Telemetry, Failure> {
    let mut settings = startup::telemetry_settings(config);
    if !matches!(command, Command::Serve) {
        settings.traces_endpoint = None;
    }
    telemetry::start(&settings).map_err(|error| {
        Failure::new(Failure::UNUSABLE, format_args!("traces.endpoint (VESTIBULE_TRACES__ENDPOINT): {error}"))
    })
}

async fn open_app(config: &Config) -> Result<App, Failure> {
    Ok(startup::open(config, Clock::system(), &Arc::default()).await?)
}
