//! Start: from a configuration to a running [`App`], for the server, the command line and the tests alike.

pub mod http;
mod keys;
mod private;
pub mod telemetry;

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use sea_orm::DbErr;

pub use private::{check_master_key, new_master_key, warn_of_loose_config};

use self::keys::open_keys;
use crate::{
    clock::Clock,
    config::{self, Config},
    domain::{
        app::{App, RegistrationSettings},
        audit::AuditLog,
        crypto::{KeyringError, Pseudonyms, SharedKeyring},
        limits::{LimitSettings, Limits, Rate},
        name,
        password::{Hasher, HasherSettings, PasswordPolicy},
        session::SessionSettings,
        token::access::TokenSettings,
    },
    error::ServiceError,
    jobs,
    metrics::Metrics,
    secret::InvalidMasterKey,
    server::TlsError,
    store::{self, MigrateError, Pool},
};

/// Passwords that may wait for each hashing thread.
const QUEUED_PER_THREAD: usize = 4;
/// How soon the database is looked for again when it cannot be reached at start, and how far apart at most.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Why the service cannot start, with what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The key is unusable.
    #[error("{place}: {error}")]
    MasterKey {
        /// The setting or file that holds it.
        place: String,
        /// What is wrong with it.
        error: InvalidMasterKey,
    },
    /// A network database needs a key that every instance is given.
    #[error(
        "keys.master_key (VESTIBULE_KEYS__MASTER_KEY) or keys.master_key_file (VESTIBULE_KEYS__MASTER_KEY_FILE) must be \
         set with this database; `vestibule keys generate` prints a key"
    )]
    NoMasterKey,
    /// The file that is configured does not exist.
    #[error("keys.master_key_file (VESTIBULE_KEYS__MASTER_KEY_FILE): {} does not exist", .0.display())]
    NoKeyFile(PathBuf),
    /// The database holds keys, and the key that opens them is gone.
    #[error(
        "the database holds keys, but {} is missing; restore it, or give up all sessions and tokens with \
         `vestibule keys reset`", .0.display()
    )]
    LostMasterKey(PathBuf),
    /// Others can read the key.
    #[error("{}: other users can read the master key (mode {mode:o}); `chmod 600` it", .path.display())]
    LooseKeyFile {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file cannot be read or made.
    #[error("{}: {error}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The database cannot be opened or migrated.
    #[error("database.url (VESTIBULE_DATABASE__URL): {url}: {error}")]
    Database {
        /// The database, as it may be shown.
        url: String,
        /// Why.
        error: DbErr,
    },
    /// The database belongs to a newer version.
    #[error(
        "database.url (VESTIBULE_DATABASE__URL): {url}: {error}, and this is {}; start that version, or restore the \
         backup from before it", env!("CARGO_PKG_VERSION")
    )]
    NewerSchema {
        /// The database, as it may be shown.
        url: String,
        /// What has changed it.
        error: MigrateError,
    },
    /// The keys do not open.
    #[error(
        "{0}; start with the master key that made them, or give up all sessions and tokens with `vestibule keys reset`"
    )]
    Keyring(KeyringError),
    /// A key is gone.
    #[error("{0}; restore the database's backup, or give up all sessions and tokens with `vestibule keys reset`")]
    LostKey(KeyringError),
    /// The head of the audit log is gone.
    #[error(
        "the database has lost the head of its audit log; restore the database's backup, or give up all sessions and \
         tokens with `vestibule keys reset`"
    )]
    LostAuditHead,
    /// Certificate and key are unusable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Something else failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The hashing threads cannot start.
    #[error("the hashing threads cannot start: {0}")]
    Hashing(io::Error),
}

impl StartError {
    /// Whether the database may be there in a moment. What is wrong with a file stays wrong.
    fn may_pass(&self, config: &Config) -> bool {
        let (conflict, unavailable) = match self {
            Self::Database { error, .. } => (store::is_conflict(error), store::is_unavailable(error)),
            Self::Service(ServiceError::Unavailable { .. }) => (true, true),
            _ => (false, false),
        };
        conflict || (unavailable && config.database.file().is_none())
    }
}

/// Opens everything that the rules work with: the master key, then the database, then the keys in it. The clock is set by
/// the one that counts.
///
/// # Errors
/// [`StartError`]. Nothing is made in place of what is damaged or lost.
pub async fn open(config: &Config, clock: Clock, metrics: &Arc<Metrics>) -> Result<App, StartError> {
    let master = private::master_key(config).await?;
    let db = database(config, metrics).await?;
    jobs::start_clock(&db, &clock).await?;
    let keyring = open_keys(&db, &master, clock.now()).await?;
    let pseudonyms = Pseudonyms::new(keyring.pseudonym.active().clone());
    Ok(App {
        audit: AuditLog::new(keyring.audit.active().clone()),
        audit_retention: Duration::from_secs(config.audit.retention),
        limits: Limits::new(limits(&config.throttle), pseudonyms, Arc::clone(metrics)),
        keyring: SharedKeyring::new(keyring),
        hasher: Hasher::start(hashing(config), metrics).map_err(StartError::Hashing)?,
        password_policy: PasswordPolicy { min_length: config.passwords.min_length },
        tokens: TokenSettings {
            issuer: config.server.issuer().to_owned(),
            audience: config.tokens.audience.clone().unwrap_or_else(|| config.server.issuer().to_owned()),
            client_id: config.tokens.client_id.clone(),
            lifetime: Duration::from_secs(config.tokens.access_lifetime),
        },
        sessions: SessionSettings {
            lifetime: Duration::from_secs(config.sessions.lifetime),
            idle_lifetime: Duration::from_secs(config.sessions.idle_lifetime()),
            refresh_grace_period: Duration::from_secs(config.sessions.refresh_grace),
            max_per_user: config.sessions.max_per_account,
        },
        registration: RegistrationSettings {
            open: config.registration.open,
            reserved_names: config
                .registration
                .reserved_names
                .iter()
                .filter_map(|name| name::canonicalize(name))
                .collect(),
        },
        metrics: Arc::clone(metrics),
        db,
        clock,
    })
}

/// Opens everything as [`open`] does; waits as long as is configured for a database that cannot be reached or is held by
/// others, and looks again at growing intervals.
///
/// # Errors
/// [`StartError`].
pub async fn open_patiently(config: &Config, clock: &Clock, metrics: &Arc<Metrics>) -> Result<App, StartError> {
    let begun = Instant::now();
    let patience = Duration::from_secs(config.database.start_timeout);
    let mut pause = FIRST_PAUSE;
    loop {
        match open(config, clock.clone(), metrics).await {
            Err(error) if error.may_pass(config) && begun.elapsed().saturating_add(pause) < patience => {
                tracing::warn!(cause = %error, "waiting for the database; looking again in {} ms", pause.as_millis());
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
            }
            outcome => return outcome,
        }
    }
}

/// The limits on tries.
fn limits(limits: &config::Throttle) -> LimitSettings {
    let each = |count: u32, span: Duration| span.checked_div(count).unwrap_or(Duration::MAX);
    let per = |count: u32, span: Duration| Rate { burst: count, refill: each(count, span) };
    let minute = Duration::from_mins(1);
    LimitSettings {
        logins: Rate { burst: limits.login_burst, refill: each(limits.logins_per_minute, minute) },
        registrations: per(limits.registrations_per_hour, Duration::from_hours(1)),
        rejected_refreshes: per(limits.refused_refreshes_per_minute, minute),
        refreshes: per(limits.refreshes_per_minute, minute),
        free_failures: limits.free_failures,
        max_backoff: Duration::from_secs(limits.max_wait),
        lockout_threshold: limits.suspend_after,
        lockout_duration: Duration::from_secs(limits.memory),
        known_networks: limits.known_devices,
        known_network_lifetime: Duration::from_secs(limits.device_lifetime),
    }
}

/// Opens the database and brings it to the current schema.
///
/// # Errors
/// [`StartError`].
pub async fn database(config: &Config, metrics: &Arc<Metrics>) -> Result<Pool, StartError> {
    if let Some(file) = config.database.file() {
        private::database_file(&file)?;
    }
    let failed = |error| StartError::Database { url: config.database.shown(), error };
    store::migrate(&config.database.url).await.map_err(|error| match error {
        MigrateError::Database(error) => failed(error),
        error @ MigrateError::Newer(_) => StartError::NewerSchema { url: config.database.shown(), error },
    })?;
    Pool::open(&config.database.url, config.database.max_connections, metrics).await.map_err(failed)
}

fn hashing(config: &Config) -> HasherSettings {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = config.passwords.threads.unwrap_or(cores);
    HasherSettings {
        cost: config.passwords.cost(),
        threads,
        queue_length: config.passwords.queue_length.unwrap_or(QUEUED_PER_THREAD.saturating_mul(threads)),
        queue_timeout: Duration::from_millis(config.passwords.queue_wait_ms),
    }
}
