//! The rules of the service, independent of HTTP, the OpenAPI document and the environment.
//!
//! The modules form layers. A module uses only modules in lower layers:
//!
//! | layer | contents |
//! |---|---|
//! | [`admin`] | use cases of operators |
//! | [`auth`] | use cases of clients: login, refresh, register … |
//! | [`user`] | users and their rows |
//! | [`instance`] | the stages of a running instance |
//! | [`app`] | [`app::App`]: the parts of the service that use cases share |
//! | [`token`] | access tokens and refresh tokens |
//! | [`session`] | session rows |
//! | [`password`] | policy and hashing |
//! | [`limits`] | rate limits, backoff, known networks |
//! | [`queue`] | periodic jobs that one instance runs for all |
//! | [`audit`] | the audit log |
//! | [`crypto`] | keys and their sealing |
//! | [`name`] | usernames |
//! | [`request`] | the client of a request |
//!
//! Only `admin`, `auth`, `user` and `instance` use the whole `App`. The modules below it receive the parts that they
//! need. A use case reads the clock before its transactions, not inside them, and writes with [`crate::store::write`].
//!
//! The transactions of requests take locks in this order, so that no two of them deadlock: the user row, the client's
//! token bucket, the failures, known networks, sessions, and last the head of the audit log.

pub mod admin;
pub mod app;
pub mod audit;
pub mod auth;
pub mod crypto;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod instance;
pub mod limits;
pub mod name;
pub mod password;
pub mod queue;
pub mod request;
pub mod session;
pub mod token;
pub mod user;
