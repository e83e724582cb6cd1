//! The document as poem-openapi derives it from the Rust types.

use std::collections::{BTreeSet, HashMap};

use poem::{endpoint::BoxEndpoint, http::Method};
use poem_openapi::{
    ContactObject, LicenseObject, OpenApi, OpenApiService,
    registry::{MetaApi, MetaOperation, Registry},
};
use serde_json::Value;

use super::{error::DocumentError, operation::problem_codes};
use crate::{
    api::{
        apis::{self, Apis},
        schema::{problem_code_of, problem_response_meta},
    },
    json,
};

/// The title of the document.
pub(in crate::api) const TITLE: &str = "Vestibule";

const DESCRIPTION: &str = "\
Accounts, passwords, sessions and tokens behind one HTTP API.

**Try it here:** make an account with `POST /register`, sign in with `POST /login`; this page then sends the access \
token by itself, so that `GET /me` knows you. `POST /token/refresh` takes the `refresh_token` out of the login's answer, \
`POST /logout` signs out. A reload forgets the token.

**Errors** are `application/problem+json` (RFC 9457) throughout. Branch on `code`; show `detail` to people; quote \
`request_id` to the operator.";

/// Derives the document from the types of all APIs.
///
/// # Errors
/// If two API structs have the same path, because the document then repeats a member.
pub(super) fn derive_from_types() -> Result<Value, DocumentError> {
    let spec = OpenApiService::new(MergedResponses, TITLE, env!("CARGO_PKG_VERSION"))
        .description(DESCRIPTION)
        .contact(ContactObject::new().name("The operator of this service"))
        .license(LicenseObject::new("MIT OR Apache-2.0").url("https://spdx.org/licenses/MIT.html"))
        .server("/")
        .spec();
    json::read(spec.as_bytes()).map_err(|source| DocumentError::Json { what: "the derived document", source })
}

/// The APIs with one problem response for each status. Handlers list their problems code by code; several codes have the
/// same status, and the document would repeat a member.
struct MergedResponses;

impl OpenApi for MergedResponses {
    fn meta() -> Vec<MetaApi> {
        let mut metas = Vec::new();
        for api in apis::declarations() {
            for mut meta in api.operations {
                for operation in meta.paths.iter_mut().flat_map(|path| &mut path.operations) {
                    merge_problems(operation, api.uses_app);
                }
                metas.push(meta);
            }
        }
        metas
    }

    fn register(registry: &mut Registry) {
        Apis::register(registry);
    }

    fn add_routes(self, _: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {}
}

fn merge_problems(operation: &mut MetaOperation, uses_app: bool) {
    let mut statuses = BTreeSet::new();
    let codes = problem_codes(operation, uses_app).into_iter();
    let one_per_status = codes.filter(|code| statuses.insert(code.status()));

    let responses = &mut operation.responses.responses;
    responses.retain(|response| problem_code_of(response).is_none());
    responses.extend(one_per_status.map(problem_response_meta));
    responses.sort_by_key(|response| response.status);
}
