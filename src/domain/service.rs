//! The service in the stages of its life: it starts, it serves, it leaves.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use super::{
    App,
    fault::{Doing as _, Fault},
};

/// What is known of the service from its first moment on.
#[derive(Debug, Default)]
pub struct Service {
    app: OnceLock<Arc<App>>,
    leaving: CancellationToken,
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
}

impl Service {
    /// A service that has everything it works with.
    #[must_use]
    pub fn serving(app: Arc<App>) -> Self {
        let service = Self::default();
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
        app.db.answers().await.doing("asking the database whether it is there").map_err(NotReady::Database)
    }
}
