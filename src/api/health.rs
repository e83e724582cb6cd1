//! `/health`: whether the process runs and whether it accepts requests.

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

/// How the service is.
#[derive(Object)]
struct HealthResponse {
    /// `live` or `ready`: what was asked for.
    status: String,
}

impl HealthResponse {
    fn new(status: &str) -> Json<Self> {
        Json(Self { status: status.to_owned() })
    }
}

#[derive(ApiResponse)]
enum LiveResponse {
    /// The process runs and answers.
    #[oai(status = 200)]
    Live(Json<HealthResponse>),
}

#[derive(ApiResponse)]
enum ReadyResponse {
    /// Requests may be sent here.
    #[oai(status = 200)]
    Ready(Json<HealthResponse>),
}

#[OpenApi(tag = "Tag::Health")]
impl HealthApi {
    /// See whether the process runs
    ///
    /// Answers as long as the process does, whatever its database is doing. Whoever restarts what does not answer should
    /// ask here.
    #[oai(path = "/health/live", method = "get", operation_id = "getLiveness")]
    #[expect(clippy::unused_async, reason = "handlers are async")]
    async fn live(&self) -> LiveResponse {
        LiveResponse::Live(HealthResponse::new("live"))
    }

    /// See whether requests should come here
    ///
    /// Answers 503 while the service starts, when it cannot use its database, when that is not migrated or has other keys,
    /// and from the moment the service is asked to stop. Whoever spreads requests over several instances should ask here.
    #[oai(path = "/health/ready", method = "get", operation_id = "getReadiness")]
    async fn ready(&self, instance: Data<&Arc<Instance>>) -> Result<ReadyResponse, ProblemResponse<NotReady>> {
        instance.check_ready().await?;
        Ok(ReadyResponse::Ready(HealthResponse::new("ready")))
    }
}

// The cause is not logged, because probes repeat every few seconds. Other requests and the cleanup log database errors.
impl From<NotReady> for Problem {
    fn from(error: NotReady) -> Self {
        Self::new(ProblemCode::NotReady).with_detail(error.to_string())
    }
}

impl IntoProblem for NotReady {
    const CODES: &'static [ProblemCode] = &[ProblemCode::NotReady];
}
