//! A running instance of the service and its stages: starting, ready, draining.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use super::{app::App, crypto};
use crate::{
    error::ServiceError,
    metrics::{Gauges, Metrics},
    store::{self, Context as _},
};

/// A running instance. It exists from the start of the process, before the database is open.
#[derive(Debug, Default)]
pub struct Instance {
    app: OnceLock<Arc<App>>,
    draining: CancellationToken,
    metrics: Arc<Metrics>,
}

/// Why an instance is not ready. Clients should then use another one.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// The instance has not opened its database yet.
    #[error("The instance is starting and is waiting for its database.")]
    Starting,
    /// The instance is draining before it stops.
    #[error("The instance is about to stop.")]
    Draining,
    /// The database is unavailable.
    #[error("The database is unavailable.")]
    Database(#[source] ServiceError),
    /// The schema is not the schema of this build.
    #[error("The database is not migrated to the schema of this version. Run `vestibule migrate`.")]
    Schema,
    /// The database does not contain the active keys of this instance.
    #[error("The database does not contain the keys that this instance uses. Restart the instance.")]
    Keys,
}

impl Instance {
    /// Returns an instance that is ready.
    pub fn ready(app: Arc<App>) -> Self {
        let instance = Self { metrics: Arc::clone(&app.metrics), ..Self::default() };
        instance.set_app(app);
        instance
    }

    /// Ends the starting stage. Only the first call has an effect.
    pub fn set_app(&self, app: Arc<App>) {
        self.app.get_or_init(|| app);
    }

    /// Returns the app, or `None` while the instance is starting.
    pub fn app(&self) -> Option<&Arc<App>> {
        self.app.get()
    }

    /// Returns the metrics of the instance.
    pub const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Returns the metrics in the OpenMetrics text format.
    pub fn render_metrics(&self) -> String {
        let gauges = self.app().map_or_else(Gauges::default, |app| {
            let (open, idle) = app.db.open_and_idle();
            Gauges {
                hash_queue: app.hasher.queue_length(),
                idle_connections: idle,
                busy_connections: open.saturating_sub(idle),
            }
        });
        self.metrics.text(gauges)
    }

    /// Returns the token that is cancelled when the instance begins to drain. A draining instance still serves
    /// requests, but reports that it is not ready.
    pub const fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    /// Checks whether this instance is ready to receive requests.
    ///
    /// # Errors
    /// Returns why it is not ready.
    pub async fn check_ready(&self) -> Result<(), NotReady> {
        if self.draining.is_cancelled() {
            return Err(NotReady::Draining);
        }
        let app = self.app().ok_or(NotReady::Starting)?;

        let is_current = store::is_current(&app.db).await.context("checking the schema");
        if !is_current.map_err(NotReady::Database)? {
            return Err(NotReady::Schema);
        }
        let has_keys = crypto::are_stored(&app.db, &app.keyring.current()).await;
        if has_keys.map_err(NotReady::Database)? { Ok(()) } else { Err(NotReady::Keys) }
    }
}
