//! The command line, and the dispatch to its commands.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::{Parser, Subcommand};
use vestibule::{
    api::document::document,
    clock::Clock,
    config::Config,
    domain::app::App,
    startup::{self, StartError},
    telemetry,
};

use super::{
    audit, backup, config,
    failure::Failure,
    keys, serve,
    terminal::{print_error, print_text},
    user,
};

/// The login service that a team puts in front of its own applications.
#[derive(Parser)]
#[command(version = VERSION, after_help = EXIT_CODES)]
struct Arguments {
    /// Read the settings from this file instead of vestibule.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("BUILD_COMMIT"), ", ", env!("BUILD_TARGET"), ")");

const EXIT_CODES: &str = "\
Settings come from vestibule.toml and from environment variables named VESTIBULE_<SECTION>__<SETTING>. A variable takes
precedence over the file.

Exit codes:
  0    success
  1    failure of the database, a file or the network
  2    invalid command line
  3    no such user
  4    the username is taken
  5    the username or the password violates a rule, or the prompt was declined
  6    invalid configuration or unusable key
  7    the audit log was altered
  130  interrupted with Ctrl-C at a prompt";

#[derive(Subcommand)]
enum Command {
    /// Run the server (the default command)
    Serve,
    /// Print the OpenAPI document; requires no configuration and no database
    Openapi {
        /// Print JSON instead of YAML
        #[arg(long)]
        json: bool,
    },
    /// Migrate the database to the current schema
    Migrate,
    /// Manage users; works while the server is running
    #[command(subcommand)]
    User(user::Command),
    /// Manage the master key and the keys that it seals
    #[command(subcommand)]
    Keys(keys::Command),
    /// List and verify the audit log: who did what, from where, and with what outcome
    #[command(subcommand)]
    Audit(audit::Command),
    /// Write a copy of the SQLite database to a new file; works while the server is running
    Backup {
        /// The file to create; it must not exist yet
        file: PathBuf,
    },
    /// Verify a backup and replace the SQLite database with it; stop every server first
    Restore {
        /// The backup to restore; it is not changed
        file: PathBuf,
    },
    /// Check, show and document the settings; does not open the database
    #[command(subcommand)]
    Config(config::Command),
}

/// Runs the command on the command line. Returns its exit code.
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

fn execute(arguments: Arguments) -> Result<(), Failure> {
    let file = arguments.config.as_deref();
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => with_config(file, Traces::Exported, async |config| Box::pin(serve::run(config)).await),
        Command::Openapi { json } => {
            let document = document()?;
            print_text(if json { &document.json } else { &document.yaml })
        }
        Command::Migrate => with_config(file, Traces::Off, async |config| {
            startup::open_database(config, &Arc::default()).await?;
            print_text("The database has the current schema.\n")
        }),
        Command::User(command) => {
            let creates = matches!(command, user::Command::Add { .. });
            with_app(file, creates, async |app| user::run(app, command).await)
        }
        Command::Keys(keys::Command::Generate) => keys::generate(),
        Command::Keys(keys::Command::Reset { yes }) => {
            with_config(file, Traces::Off, async |config| keys::reset(config, yes).await)
        }
        Command::Audit(command) => with_app(file, false, async |app| audit::run(app, command).await),
        Command::Backup { file: target } => {
            with_config(file, Traces::Off, async |config| Box::pin(backup::back_up(config, &target)).await)
        }
        Command::Restore { file: source } => {
            with_config(file, Traces::Off, async |config| Box::pin(backup::restore(config, &source)).await)
        }
        Command::Config(config::Command::Check) => {
            with_config(file, Traces::Off, async |settings| config::check(settings))
        }
        Command::Config(config::Command::Show { json }) => config::show(file, json),
        Command::Config(config::Command::Example) => config::print_example(),
        Command::Config(config::Command::Reference) => config::print_reference(),
    }
}

/// Whether traces are exported, if a collector is configured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Traces {
    Exported,
    Off,
}

/// Runs a command with the configuration and a started log.
fn with_config(
    file: Option<&Path>,
    traces: Traces,
    command: impl AsyncFnOnce(&Config) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let config = Config::load(file)?;
    let mut settings = startup::telemetry_settings(&config);
    if traces == Traces::Off {
        settings.traces_endpoint = None;
    }
    let telemetry = telemetry::start(&settings).map_err(StartError::Traces)?;
    startup::warn_of_loose_config(file, &config);

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(command(&config));
    telemetry.stop();
    outcome
}

/// Runs a command with the opened app. Unless the command creates an SQLite database, it must exist.
fn with_app(
    file: Option<&Path>,
    creates_database: bool,
    command: impl AsyncFnOnce(&App) -> Result<(), Failure>,
) -> Result<(), Failure> {
    with_config(file, Traces::Off, async |config| {
        if !creates_database {
            startup::check_database_exists(config)?;
        }
        // Boxed, because the compiler limits how deep the type of a future may be.
        let app = Box::pin(startup::open(config, Clock::system(), &Arc::default())).await?;
        command(&app).await
    })
}
