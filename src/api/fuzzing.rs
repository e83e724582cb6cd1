//! What fuzz targets may do with bodies; only there when the service is built for them (`--cfg fuzzing`).

use serde_json::Value;

use super::json;

/// Reads a body as every operation reads it; `None` when it is refused.
#[must_use]
pub fn read_json(body: &[u8]) -> Option<Value> {
    json::read(body).ok()
}
