//! The rules of the service, free of HTTP, the OpenAPI document and the environment.
//!
//! The modules stand in one order, and each uses only those above it:
//!
//! | module | contents |
//! |---|---|
//! | `request` | where a request comes from |
//! | `name` | user names |
//! | `crypto` | keys and their sealing |
//! | `audit` | the audit log |
//! | `queue` | jobs that one instance runs for all |
//! | `limits` | rate limits, backoff, known networks |
//! | `password` | policy and hashing |
//! | `session` | session rows |
//! | `token` | access tokens and refresh tokens |
//! | `app` | [`app::App`]: the parts that use cases work with |
//! | `instance` | the stages of a running instance |
//! | `user` | users and their rows |
//! | `auth` | use cases of clients: login, refresh, register … |
//! | `admin` | use cases of operators |
//!
//! Only `instance`, `user`, `auth` and `admin` use the whole `App`. The modules above it own what they need. A use case
//! reads the clock once, and writes in transactions of [`crate::store::write`].

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
