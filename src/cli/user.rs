//! `vestibule user`

use std::{
    fs::File,
    io::{self, BufRead as _},
};

use clap::{Args, Subcommand};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use serde_json::{Value, json};
use vestibule::{
    domain::{
        admin::users::{delete_user, disable_user, enable_user, find_user, set_password, unlock_user},
        app::App,
        audit::Actor,
        name::Name,
        user::{CreateUserError, User, create_user, find_by_name, list_users},
    },
    secret::Password,
};

use super::{
    failure::Failure,
    terminal::{confirm, print_json, print_text},
};

/// The exit code after Ctrl-C, by the convention of shells: 128 plus the signal number.
const INTERRUPTED: u8 = 130;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Create a user; prompts for the password
    Add {
        /// The username; may be a reserved name
        name: String,
        #[command(flatten)]
        password: PasswordSource,
        #[command(flatten)]
        output: Output,
    },
    /// List all users
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Show one user
    Show {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        output: Output,
    },
    /// Disable a user: revokes all sessions and prevents logins
    Disable {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        output: Output,
    },
    /// Enable a disabled user
    Enable {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        output: Output,
    },
    /// End the lockout of a user after too many failed logins
    Unlock {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        output: Output,
    },
    /// Set the password of a user, and revoke all sessions
    Password {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        password: PasswordSource,
        #[command(flatten)]
        output: Output,
    },
    /// Delete a user with all sessions and known networks; keeps audit events
    Delete {
        #[command(flatten)]
        who: Who,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Args)]
pub(super) struct Who {
    /// The username, in any capitalization, or the id of the user
    #[arg(value_name = "NAME_OR_ID")]
    who: String,
}

#[derive(Args)]
pub(super) struct PasswordSource {
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Args)]
pub(super) struct Output {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(app: &App, command: Command) -> Result<(), Failure> {
    match command {
        Command::Add { name, password, output } => {
            let name = Name::parse(&name)?;
            // An early check, before the prompt for the password. The final check is the unique constraint.
            if find_by_name(&app.db, name.canonical()).await?.is_some() {
                return Err(CreateUserError::UsernameTaken.into());
            }
            let user = create_user(app, &name, &password.read()?, Actor::Operator).await?;
            output.show(&user, Some("created"))
        }
        Command::List { output } => output.list(&list_users(&app.db).await?),
        Command::Show { who, output } => output.show(&who.find(app).await?, None),
        Command::Disable { who, output } => {
            let user = disable_user(app, who.find(app).await?.id).await?;
            output.show(&user, Some("disabled"))
        }
        Command::Enable { who, output } => {
            let user = enable_user(app, who.find(app).await?.id).await?;
            output.show(&user, Some("enabled"))
        }
        Command::Unlock { who, output } => {
            let user = who.find(app).await?;
            unlock_user(app, &user).await?;
            output.show(&user, Some("unlocked"))
        }
        Command::Password { who, password, output } => {
            let user = who.find(app).await?;
            let user = set_password(app, &user, &password.read()?).await?;
            output.show(&user, Some("given a new password"))
        }
        Command::Delete { who, yes, output } => {
            let user = who.find(app).await?;
            confirm(&format!("This deletes the user {} and revokes all sessions.", user.username), yes)?;
            delete_user(app, user.id).await?;
            output.show(&user, Some("deleted"))
        }
    }
}

impl Who {
    async fn find(&self, app: &App) -> Result<User, Failure> {
        Ok(find_user(app, &self.who).await?)
    }
}

impl PasswordSource {
    fn read(&self) -> Result<Password, Failure> {
        let text = if self.password_stdin {
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line)?;
            line.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line).to_owned()).unwrap_or(line)
        } else {
            restore_echo_on_interrupt();
            let first = rpassword::prompt_password("Password: ").map_err(|error| no_terminal(&error))?;
            if rpassword::prompt_password("Again: ").map_err(|error| no_terminal(&error))? != first {
                return Err(Failure::new(Failure::REJECTED, "the passwords do not match; run the command again"));
            }
            first
        };
        Ok(Password::from(text))
    }
}

/// Makes Ctrl-C at the prompt restore the terminal's echo and exit.
fn restore_echo_on_interrupt() {
    let Ok(terminal) = File::open("/dev/tty") else { return };
    let Ok(modes) = tcgetattr(&terminal) else { return };
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            let restored = tcsetattr(&terminal, OptionalActions::Now, &modes);
            std::process::exit(if restored.is_ok() { INTERRUPTED } else { Failure::FAILED }.into());
        }
    });
}

fn no_terminal(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::Interrupted {
        return Failure::new(INTERRUPTED, "interrupted");
    }
    Failure::new(
        Failure::FAILED,
        format_args!("cannot prompt for a password: {error}; use --password-stdin to read it from standard input"),
    )
}

impl Output {
    /// Prints one user: as JSON, as a sentence about the completed action, or as fields.
    fn show(&self, user: &User, done: Option<&str>) -> Result<(), Failure> {
        if self.json {
            return print_json(&to_json(user));
        }
        match done {
            Some(done) => print_text(&format!("{} ({}) was {done}.\n", user.username, user.id)),
            None => print_text(&to_line(user)),
        }
    }

    fn list(&self, users: &[User]) -> Result<(), Failure> {
        if self.json {
            print_json(&users.iter().map(to_json).collect())
        } else {
            print_text(&users.iter().map(to_line).collect::<String>())
        }
    }
}

fn to_json(user: &User) -> Value {
    json!({
        "id": user.id.to_string(),
        "username": user.username,
        "disabled": user.disabled,
        "created_at": user.created_at.to_string(),
    })
}

fn to_line(user: &User) -> String {
    let state = if user.disabled { "disabled" } else { "active" };
    format!("{}  {}  {state:8}  {}\n", user.id, user.created_at, user.username)
}
