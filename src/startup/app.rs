//! Opening the [`App`]: the master key, the database, the keys in it, and the settings of the rules.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::{database::open_database, error::StartError, master_key::master_key};
use crate::{
    clock::Clock,
    config::{self, Config, Count, ReservedName},
    domain::{
        App,
        access_token::TokenSettings,
        account::RegistrationSettings,
        audit::AuditSettings,
        clock::{self, Watch},
        keyring::{Keyring, KeyringError},
        name,
        password::{Hashing, HashingSettings, Policy},
        session::SessionSettings,
        throttle::{Rate, ThrottleSettings},
    },
    metrics::Metrics,
};

/// Passwords that may wait for each hashing thread.
const QUEUED_PER_THREAD: usize = 4;
/// How soon the database is looked for again when it cannot be reached at start, and how far apart at most.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Opens everything that the rules work with: the master key, then the database, then the keys in it. The clock is set by
/// the one that counts.
///
/// # Errors
/// [`StartError`]. Nothing is made in place of what is damaged or lost.
pub async fn open(config: &Config, clock: Clock, metrics: &Arc<Metrics>) -> Result<App, StartError> {
    let master = master_key(config).await?;
    let db = open_database(config).await?.observed_by(metrics);
    clock::begin(&db, &clock).await?;
    let keyring = Keyring::open(&db, &master, &clock).await.map_err(|error| match error {
        KeyringError::Fault(fault) => StartError::Fault(fault),
        lost @ (KeyringError::Lost(_) | KeyringError::LostHead) => StartError::LostKey(lost),
        other => StartError::Keyring(other),
    })?;
    Ok(App {
        db,
        clock,
        watch: Watch::default(),
        keyring,
        hashing: Hashing::start(hashing(config), metrics).map_err(StartError::Hashing)?,
        passwords: Policy { min_length: config.passwords.min_length.get() },
        tokens: TokenSettings {
            issuer: config.server.issuer().to_owned(),
            audience: config.tokens.audience.clone().unwrap_or_else(|| config.server.issuer().to_owned()),
            client_id: config.tokens.client_id.clone(),
            lifetime: config.tokens.access_lifetime.get(),
        },
        sessions: SessionSettings {
            lifetime: config.sessions.lifetime.get(),
            idle_lifetime: config.sessions.idle_lifetime(),
            refresh_grace: config.sessions.refresh_grace_period.get(),
            max_per_account: config.sessions.max_per_user.get(),
        },
        throttle: throttle(&config.limits),
        metrics: Arc::clone(metrics),
        audit: AuditSettings { retention: config.audit.retention.get() },
        registration: RegistrationSettings {
            open: config.registration.open,
            reserved_names: config
                .registration
                .reserved_names
                .iter()
                .map(ReservedName::as_str)
                .filter_map(name::canonical)
                .collect(),
        },
    })
}

/// Opens everything as [`open`] does; waits as long as is configured for a database that cannot be reached or is held by
/// others, and looks again at growing intervals.
///
/// # Errors
/// [`StartError`].
pub async fn open_patiently(config: &Config, clock: &Clock, metrics: &Arc<Metrics>) -> Result<App, StartError> {
    let begun = Instant::now();
    let patience = config.database.start_timeout.get();
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
fn throttle(limits: &config::Limits) -> ThrottleSettings {
    let each = |count: u32, span: Duration| span.checked_div(count).unwrap_or(Duration::MAX);
    let per = |count: u32, span: Duration| Rate { burst: count, every: each(count, span) };
    let minute = Duration::from_mins(1);
    ThrottleSettings {
        logins: Rate { burst: limits.login_burst.get(), every: each(limits.logins_per_minute.get(), minute) },
        registrations: per(limits.registrations_per_hour.get(), Duration::from_hours(1)),
        refused_refreshes: per(limits.rejected_refreshes_per_minute.get(), minute),
        refreshes: per(limits.refreshes_per_minute.get(), minute),
        free_failures: limits.free_failures.get(),
        max_wait: limits.max_backoff.get(),
        suspend_after: limits.lockout_threshold.get(),
        memory: limits.lockout_duration.get(),
        known_devices: limits.known_networks.get(),
        device_lifetime: limits.known_network_lifetime.get(),
    }
}

fn hashing(config: &Config) -> HashingSettings {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = config.passwords.hash_threads.map_or(cores, Count::get);
    HashingSettings {
        cost: config.passwords.cost(),
        threads,
        queue_length: config.passwords.queue_length.map_or(QUEUED_PER_THREAD.saturating_mul(threads), Count::get),
        queue_wait: config.passwords.queue_timeout.get(),
    }
}
