//! The `App` of a request.

use std::{ops::Deref, sync::Arc};

use poem::{FromRequest, Request, RequestBody, Result};

use crate::{
    api::schema::{Problem, ProblemCode},
    domain::{app::App, instance::Instance},
};

/// The problem codes of an operation that uses the [`App`].
pub(in crate::api) const CODES: &[ProblemCode] = &[ProblemCode::Unavailable];

/// The [`App`], which use cases need. While the server starts there is none, and the request gets `unavailable`.
pub(crate) struct State(Arc<App>);

impl Deref for State {
    type Target = App;

    fn deref(&self) -> &App {
        &self.0
    }
}

impl<'a> FromRequest<'a> for State {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        let instance: &Arc<Instance> =
            request.data().ok_or_else(|| Problem::internal("the request carries no instance"))?;
        let app = instance.app().ok_or_else(|| Problem::new(ProblemCode::Unavailable))?;
        Ok(Self(Arc::clone(app)))
    }
}
