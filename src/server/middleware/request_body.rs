//! The request body, which is read completely before the handler runs.

use futures_util::StreamExt as _;
use poem::Request;

use crate::api::schema::{Problem, ProblemCode};

/// The maximum number of bytes that are read and dropped if a body is too large. Most clients read the response only
/// after they have sent the whole body.
const MAX_DROPPED: usize = 4 * 1024 * 1024;

/// Reads the body into memory, whatever the method.
///
/// # Errors
/// Returns `body_too_large` if the body has more than `max_body` bytes, and `bad_framing` if it ends early or is
/// malformed.
pub(super) async fn read(mut request: Request, max_body: usize) -> Result<Request, Problem> {
    let mut chunks = std::pin::pin!(request.take_body().into_bytes_stream());
    let mut body = Vec::new();
    let mut length = 0_usize;

    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| {
            Problem::new(ProblemCode::BadFraming).with_cause(format!("the body cannot be read: {error}"))
        })?;
        length = length.saturating_add(chunk.len());
        if length <= max_body {
            body.extend_from_slice(&chunk);
        } else if length > MAX_DROPPED {
            break;
        }
    }

    if length > max_body {
        return Err(Problem::new(ProblemCode::BodyTooLarge));
    }
    request.set_body(body);
    Ok(request)
}
