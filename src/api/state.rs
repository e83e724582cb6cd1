//! What the rules work with, as handlers receive it.

use std::{ops::Deref, sync::Arc};

use poem::{FromRequest, Request, RequestBody, Result};

use super::problem::{Problem, ProblemCode};
use crate::domain::{app::App, instance::Instance};

/// The problems of an operation that needs it.
pub(super) const CODES: &[ProblemCode] = &[ProblemCode::Unavailable];

/// What the rules work with. While the service starts there is none, and the request is refused.
pub(super) struct State(Arc<App>);

impl Deref for State {
    type Target = App;

    fn deref(&self) -> &App {
        &self.0
    }
}

impl<'a> FromRequest<'a> for State {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        let app = service(request)?.app().ok_or_else(|| Problem::new(ProblemCode::Unavailable))?;
        Ok(Self(Arc::clone(app)))
    }
}

/// The service that a request has reached.
pub(super) fn service(request: &Request) -> Result<&Arc<Instance>, Problem> {
    request.data().ok_or_else(|| Problem::new(ProblemCode::Internal).caused_by("the request carries no service"))
}
