//! The list of all APIs.

use poem_openapi::{ContactObject, LicenseObject, OpenApi, OpenApiService};

use super::{
    account::{self, AccountApi},
    declaration::Link,
    health::HealthApi,
    login::LoginApi,
    sessions::SessionsApi,
    well_known::WellKnownApi,
};

/// Every API of the service, in the order of the document. What is listed here is routed, documented and tested.
pub(crate) type Apis = (LoginApi, AccountApi, SessionsApi, WellKnownApi, HealthApi);

/// Every link of the document.
pub(crate) const LINKS: [Link; 1] = [account::SIGN_IN];

const DESCRIPTION: &str = "\
Accounts, passwords, sessions and tokens behind one HTTP API.

**Try it here:** make an account with `POST /register`, sign in with `POST /login`; this page then sends the access \
token by itself, so that `GET /me` knows you. `POST /token/refresh` takes the `refresh_token` out of the login's answer, \
`POST /logout` signs out. A reload forgets the token.

**Errors** are `application/problem+json` (RFC 9457) throughout. Branch on `code`; show `detail` to people; quote \
`request_id` to the operator.";

/// Joins APIs to a service with the document's title, version and description.
pub(crate) fn service<A: OpenApi>(apis: A) -> OpenApiService<A, ()> {
    OpenApiService::new(apis, "Vestibule", env!("CARGO_PKG_VERSION"))
        .description(DESCRIPTION)
        .contact(ContactObject::new().name("The operator of this service"))
        .license(LicenseObject::new("MIT OR Apache-2.0").url("https://spdx.org/licenses/MIT.html"))
        .server("/")
}
