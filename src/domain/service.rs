//! The service in the stages of its life: it starts, it serves, it leaves.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use super::{
    App, database,
    fault::{Doing as _, Fault},
    keyring,
};
use crate::metrics::{Gauges, Metrics};

/// What is known of the service from its first moment on.
#[derive(Debug, Default)]
pub struct Service {
    app: OnceLock<Arc<App>>,
    leaving: CancellationToken,
    metrics: Arc<Metrics>,
}

/// Why requests had better go elsewhere.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// The database was not reached yet.
    #[error("The service is starting and waits for its database.")]
    Starting,
    /// It is about to stop.
    #[error("The service is about to stop.")]
    Leaving,
    /// The database cannot be used now.
    #[error("The database cannot be used.")]
    Database(#[source] Fault),
    /// The database is not at the schema that this build works with.
    #[error("The database is not migrated to this version.")]
    Schema,
    /// The database has other keys than this instance.
    #[error("The database does not hold the keys that this instance works with.")]
    Keys,
}

impl Service {
    /// A service that has everything it works with.
    #[must_use]
    pub fn serving(app: Arc<App>) -> Self {
        let service = Self { metrics: Arc::clone(&app.metrics), ..Self::default() };
        service.serve(app);
        service
    }

    /// Gives the service what it works with. Only the first time counts.
    pub fn serve(&self, app: Arc<App>) {
        self.app.get_or_init(|| app);
    }

    /// What the rules work with, once the service has started.
    #[must_use]
    pub fn app(&self) -> Option<&Arc<App>> {
        self.app.get()
    }

    /// Counts what happens.
    #[must_use]
    pub const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// What is counted and measured, for whoever scrapes it.
    #[must_use]
    pub fn scrape(&self) -> String {
        let gauges = self.app().map_or_else(Gauges::default, |app| {
            let (open, idle) = app.db.open_and_idle();
            Gauges {
                hash_queue: app.hashing.waiting(),
                idle_connections: idle,
                busy_connections: open.saturating_sub(idle),
            }
        });
        self.metrics.text(gauges)
    }

    /// Cancelled when the service is about to stop: it still serves, and tells whoever asks to go elsewhere.
    #[must_use]
    pub const fn leaving(&self) -> &CancellationToken {
        &self.leaving
    }

    /// Whether requests should come here.
    ///
    /// # Errors
    /// [`NotReady`].
    pub async fn ready(&self) -> Result<(), NotReady> {
        if self.leaving.is_cancelled() {
            return Err(NotReady::Leaving);
        }
        let app = self.app().ok_or(NotReady::Starting)?;
        let doing = "looking at the schema";
        if !database::is_current(&app.db).await.doing(doing).map_err(NotReady::Database)? {
            return Err(NotReady::Schema);
        }
        if keyring::is_stored(app).await.map_err(NotReady::Database)? { Ok(()) } else { Err(NotReady::Keys) }
    }
}
