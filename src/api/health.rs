//! `/health`: liveness and readiness of the instance.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::{
    declaration::Tag,
    schema::{IntoProblem, Json, Problem, ProblemCode, ProblemResponse},
};
use crate::domain::instance::{Instance, NotReady};

#[derive(Default)]
pub(crate) struct HealthApi;

/// The paths of the health checks.
pub const HEALTH_PATHS: [&str; 2] = ["/health/live", "/health/ready"];

/// The health of the instance.
#[derive(Object)]
struct HealthResponse {
    /// `live` from the liveness check, `ready` from the readiness check.
    status: String,
}

impl HealthResponse {
    fn new(status: &str) -> Json<Self> {
        Json(Self { status: status.to_owned() })
    }
}

#[derive(ApiResponse)]
enum LiveResponse {
    /// The process is running.
    #[oai(status = 200)]
    Live(Json<HealthResponse>),
}

#[derive(ApiResponse)]
enum ReadyResponse {
    /// The instance accepts requests.
    #[oai(status = 200)]
    Ready(Json<HealthResponse>),
}

#[OpenApi(tag = "Tag::Health")]
impl HealthApi {
    /// Check liveness
    ///
    /// Returns 200 as long as the process is running, even if its database is unavailable. Use it as the liveness
    /// probe: restart an instance that does not respond.
    #[oai(path = "/health/live", method = "get", operation_id = "getLiveness")]
    #[expect(clippy::unused_async, reason = "handlers are async")]
    async fn live(&self) -> LiveResponse {
        LiveResponse::Live(HealthResponse::new("live"))
    }

    /// Check readiness
    ///
    /// Returns 200 if the instance accepts requests. Use it as the readiness probe of a load balancer: send requests to
    /// other instances until this one is ready.
    ///
    /// Returns `not_ready` while the instance is starting or stopping, while its database is unavailable, and if the
    /// database is not migrated or holds other keys. The detail says which.
    #[oai(path = "/health/ready", method = "get", operation_id = "getReadiness")]
    async fn ready(&self, instance: Data<&Arc<Instance>>) -> Result<ReadyResponse, ProblemResponse<NotReady>> {
        instance.check_ready().await?;
        Ok(ReadyResponse::Ready(HealthResponse::new("ready")))
    }
}

// The cause is not logged, because probes repeat every few seconds. Other requests and the cleanup job log database
// errors.
impl From<NotReady> for Problem {
    fn from(error: NotReady) -> Self {
        Self::new(ProblemCode::NotReady).with_detail(error.to_string())
    }
}

impl IntoProblem for NotReady {
    const CODES: &'static [ProblemCode] = &[ProblemCode::NotReady];
}
