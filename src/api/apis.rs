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
pub(crate) const LINKS: [Link; 1] = [account::LOG_IN];

const DESCRIPTION: &str = "\
Users, passwords, sessions and tokens behind one HTTP API.

**Authentication:** register with `POST /register` and log in with `POST /login`. Send the `access_token` from the \
response in the header `Authorization: Bearer`. When it expires, send the `refresh_token` to `POST /token/refresh`.

**Requests and responses** are JSON in UTF-8. The service rejects unknown fields, repeated fields and values of the \
wrong type. A response omits fields that have no value. Ignore response fields that you do not know, because later \
versions may add fields. Times are RFC 3339 in UTC, and durations are whole seconds.

**Errors** are `application/problem+json` (RFC 9457). Branch on `code`, show `detail` to people, and quote `request_id` \
when you report a problem to the operator. After status 429 or 503, wait for the number of seconds in `Retry-After` \
before you retry.

**Interactive documentation:** the page `/docs` keeps the access token from `POST /login` and sends it with later \
requests, until `POST /logout` or a reload of the page.";

/// Combines APIs into a service with the document's title, version and description.
pub(crate) fn service<A: OpenApi>(apis: A) -> OpenApiService<A, ()> {
    OpenApiService::new(apis, "Vestibule", env!("CARGO_PKG_VERSION"))
        .description(DESCRIPTION)
        .contact(ContactObject::new().name("The operator of this service"))
        .license(LicenseObject::new("MIT OR Apache-2.0").url("https://spdx.org/licenses/MIT.html"))
        .server("/")
}
