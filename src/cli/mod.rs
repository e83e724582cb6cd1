//! Commands, their help and their exit codes.

mod audit;
mod config;
mod keys;
mod serve;
mod user;

use std::{
    error::Error,
    fmt,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use clap::{Parser, Subcommand};
use vestibule::{
    api::document::{DocumentError, document},
    clock::Clock,
    config::{Config, ConfigError},
    domain::{admin::users::ChangeUserError, app::App, name::InvalidName, user::RegisterError},
    error::ServiceError,
    startup::{self, StartError},
    telemetry,
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
  5  the user name or the password breaks a rule, or an answer was no
  6  the configuration or a key cannot be used
  7  the audit trail is not as it was written";

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
    /// Manage accounts, also while the server runs
    #[command(subcommand)]
    User(user::Command),
    /// Manage the master key and what it seals
    #[command(subcommand)]
    Keys(keys::Command),
    /// Look at the audit trail: who did what, from where, and what came of it
    #[command(subcommand)]
    Audit(audit::Command),
    /// Check, show and document the settings; opens no database
    #[command(subcommand)]
    Config(config::Command),
}

/// Why a command ends with another exit code than 0.
struct Failure {
    code: u8,
    reason: String,
}

impl Failure {
    const FAILED: u8 = 1;
    const NO_SUCH_USER: u8 = 3;
    const TAKEN: u8 = 4;
    const REFUSED: u8 = 5;
    const UNUSABLE: u8 = 6;
    const TAMPERED: u8 = 7;

    fn new(code: u8, reason: impl fmt::Display) -> Self {
        Self { code, reason: reason.to_string() }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(Self::FAILED, error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Self::UNUSABLE, format_args!("configuration: {error}"))
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let code = match error {
            StartError::Service(error) => return error.into(),
            StartError::Database { .. } | StartError::File { .. } | StartError::HashThreads(_) => Self::FAILED,
            StartError::MasterKey { .. }
            | StartError::NoMasterKey
            | StartError::NoKeyFile(_)
            | StartError::LostMasterKey(_)
            | StartError::LooseKeyFile { .. }
            | StartError::LostKey(_)
            | StartError::LostAuditHead
            | StartError::Tls(_)
            | StartError::NewerSchema { .. }
            | StartError::Keyring(_) => Self::UNUSABLE,
        };
        Self::new(code, error)
    }
}

impl From<&DocumentError> for Failure {
    fn from(error: &DocumentError) -> Self {
        Self::new(Self::FAILED, format_args!("the OpenAPI document cannot be derived: {error}"))
    }
}

impl From<InvalidName> for Failure {
    fn from(error: InvalidName) -> Self {
        Self::new(Self::REFUSED, error)
    }
}

impl From<RegisterError> for Failure {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::UsernameTaken => Self::new(Self::TAKEN, error),
            RegisterError::Closed | RegisterError::PasswordRejected(_) => Self::new(Self::REFUSED, error),
            RegisterError::Service(error) => error.into(),
        }
    }
}

impl From<ChangeUserError> for Failure {
    fn from(error: ChangeUserError) -> Self {
        match error {
            ChangeUserError::NotFound => Self::new(Self::NO_SUCH_USER, error),
            ChangeUserError::PasswordRejected(_) => Self::new(Self::REFUSED, error),
            ChangeUserError::Service(error) => error.into(),
        }
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        Self::new(Self::FAILED, error.chain())
    }
}

/// Runs the command that the process was given.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    match execute(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure.reason);
            ExitCode::from(failure.code)
        }
    }
}

fn execute(arguments: Arguments) -> Result<(), Failure> {
    let command = arguments.command.unwrap_or(Command::Serve);
    match command {
        Command::Openapi { json } => {
            let document = document()?;
            return say(if json { &document.json } else { &document.yaml });
        }
        Command::Keys(keys::Command::Generate) => return keys::generate(),
        Command::Config(config::Command::Example) => return config::example(),
        Command::Config(config::Command::Reference) => return config::reference(),
        Command::Serve
        | Command::Migrate
        | Command::User(_)
        | Command::Keys(_)
        | Command::Audit(_)
        | Command::Config(_) => {}
    }
    let raw = Config::load_settings(arguments.config.as_deref())?;
    let config = Config::from_settings(&raw)?;
    let mut settings = startup::telemetry_settings(&config);
    if !matches!(command, Command::Serve) {
        settings.traces_endpoint = None;
    }
    let telemetry = telemetry::start(&settings).map_err(|error| {
        Failure::new(Failure::UNUSABLE, format_args!("traces.endpoint (VESTIBULE_TRACES__ENDPOINT): {error}"))
    })?;
    startup::warn_of_loose_config(arguments.config.as_deref(), &config);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        match command {
            Command::Migrate => startup::open_database(&config, &Arc::default()).await.map(drop).map_err(Failure::from),
            Command::User(command) => user::run(&open(&config).await?, command).await,
            Command::Keys(command) => keys::run(&config, command).await,
            Command::Audit(command) => audit::run(&open(&config).await?, command).await,
            Command::Config(command) => config::run(&config, &raw, &command),
            Command::Serve | Command::Openapi { .. } => Box::pin(serve::run(&config)).await,
        }
    });
    telemetry.stop();
    outcome
}

async fn open(config: &Config) -> Result<App, Failure> {
    Ok(startup::open(config, Clock::system(), &Arc::default()).await?)
}

/// Prints to standard output; a reader that has gone is no failure.
fn say(text: &str) -> Result<(), Failure> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Prints why the command failed; nobody can be told where even that fails.
fn report(reason: &str) {
    drop(writeln!(io::stderr(), "vestibule: {reason}"));
}

/// Asks for a yes on the terminal; `--yes` has answered already.
fn confirm(question: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    say(&format!("{question} Type yes to go on: "))?;
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    if answer.trim() == "yes" { Ok(()) } else { Err(Failure::new(Failure::REFUSED, "nothing was changed")) }
}

/// A value as one JSON document on standard output.
fn say_json(value: &serde_json::Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error: serde_json::Error| {
        let error: Box<dyn Error> = error.into();
        Failure::new(Failure::FAILED, error)
    })?;
    say(&(text + "\n"))
}
