//! Opens the [`App`]: the master key, the database, the keys in it, and the settings of the rules.

use std::{sync::Arc, thread, time::Duration};

use super::{database::open_database, error::StartError, keys::open_keys, master_key::master_key};
use crate::{
    clock::Clock,
    config::{self, Config, Count},
    domain::{
        app::{App, RegistrationSettings},
        audit::AuditLog,
        crypto::{Pseudonyms, SharedKeyring},
        limits::{LimitSettings, Limits, Rate},
        name::Name,
        password::{Hasher, HasherSettings, PasswordPolicy},
        session::SessionSettings,
        token::access::TokenSettings,
    },
    jobs,
    metrics::Metrics,
    store::{RetryPolicy, retry},
};

/// The default number of passwords that may wait for each hash thread.
const QUEUED_PER_THREAD: usize = 4;
/// The first and the maximum delay between two attempts to open the database.
const FIRST_DELAY: Duration = Duration::from_millis(250);
const MAX_DELAY: Duration = Duration::from_secs(2);

/// Opens the app: the master key, then the database, then the keys in it. Synchronizes the clock.
///
/// # Errors
/// Returns a [`StartError`] if a step fails. Damaged or lost keys are never replaced.
pub async fn open(config: &Config, clock: Clock, metrics: &Arc<Metrics>) -> Result<App, StartError> {
    let master = master_key(config).await?;
    let db = open_database(config, metrics).await?;
    jobs::start_clock(&db, &clock).await?;
    let keyring = open_keys(&db, &master, clock.now()).await?;
    let pseudonyms = Pseudonyms::new(keyring.pseudonym.active().clone());

    Ok(App {
        audit: AuditLog::new(keyring.audit.active().clone()),
        audit_retention: config.audit.retention.get(),
        limits: Limits::new(limit_settings(&config.limits), pseudonyms, Arc::clone(metrics)),
        keyring: SharedKeyring::new(keyring),
        hasher: Hasher::start(hasher_settings(config), metrics)?,
        password_policy: PasswordPolicy { min_length: config.passwords.min_length.get() },
        tokens: token_settings(config),
        sessions: SessionSettings {
            lifetime: config.sessions.lifetime.get(),
            idle_lifetime: config.sessions.idle_lifetime(),
            refresh_grace_period: config.sessions.refresh_grace_period.get(),
            max_per_user: config.sessions.max_per_user.get(),
        },
        registration: registration_settings(&config.registration),
        metrics: Arc::clone(metrics),
        db,
        clock,
    })
}

/// Opens the app, and retries for at most `database.start_timeout` while the database is unreachable or locked.
pub async fn open_with_retry(config: &Config, clock: &Clock, metrics: &Arc<Metrics>) -> Result<App, StartError> {
    let policy = RetryPolicy {
        first_delay: FIRST_DELAY,
        max_delay: MAX_DELAY,
        max_retries: None,
        give_up_after: config.database.start_timeout.get(),
    };
    let attempt = || Box::pin(open(config, clock.clone(), metrics));
    retry(
        policy,
        attempt,
        |error| error.is_transient(config),
        |error, delay| {
            tracing::warn!(cause = %error, "cannot open the database; retrying in {} ms", delay.as_millis());
        },
    )
    .await
}

fn token_settings(config: &Config) -> TokenSettings {
    TokenSettings {
        issuer: config.server.issuer().to_owned(),
        audience: config.tokens.audience.clone().unwrap_or_else(|| config.server.issuer().to_owned()),
        client_id: config.tokens.client_id.clone(),
        lifetime: config.tokens.access_lifetime.get(),
    }
}

fn registration_settings(registration: &config::Registration) -> RegistrationSettings {
    let names = registration.reserved_names.iter().map(Name::canonical);
    RegistrationSettings { open: registration.open, reserved_names: names.map(ToOwned::to_owned).collect() }
}

fn limit_settings(limits: &config::Limits) -> LimitSettings {
    let minute = Duration::from_mins(1);
    LimitSettings {
        logins: Rate { burst: limits.login_burst.get(), refill: refill_time(limits.logins_per_minute.get(), minute) },
        registrations: rate_per(limits.registrations_per_hour.get(), Duration::from_hours(1)),
        rejected_refreshes: rate_per(limits.rejected_refreshes_per_minute.get(), minute),
        refreshes: rate_per(limits.refreshes_per_minute.get(), minute),
        free_failures: limits.free_failures.get(),
        max_backoff: limits.max_backoff.get(),
        lockout_threshold: limits.lockout_threshold.get(),
        lockout_duration: limits.lockout_duration.get(),
        known_networks: limits.known_networks.get(),
        known_network_lifetime: limits.known_network_lifetime.get(),
    }
}

/// Returns the rate of `count` requests in a period. All of them may arrive at once.
fn rate_per(count: u32, period: Duration) -> Rate {
    Rate { burst: count, refill: refill_time(count, period) }
}

fn refill_time(count: u32, period: Duration) -> Duration {
    period.checked_div(count).unwrap_or(Duration::MAX)
}

fn hasher_settings(config: &Config) -> HasherSettings {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = config.passwords.hash_threads.map_or(cores, Count::get);
    let default_length = QUEUED_PER_THREAD.saturating_mul(threads);
    HasherSettings {
        cost: config.passwords.cost(),
        threads,
        queue_length: config.passwords.queue_length.map_or(default_length, Count::get),
        queue_timeout: config.passwords.queue_timeout.get(),
    }
}
