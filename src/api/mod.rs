//! The contract: what clients send and get. With `server`, the only code that names poem or `poem_openapi`.
//!
//! One file a resource, each with its `XxxApi`, its requests and answers, and the problems of its operations. The API
//! structs hold no state, so the document can be printed without configuration or database; handlers find the
//! `App` in the request. A handler converts, calls one domain function, and converts.

mod bearer;
pub mod client;
pub mod docs;
pub mod document;
mod health;
mod json;
mod login;
mod me;
mod password;
pub mod problem;
mod refused;
mod register;
mod schema;
mod session;
mod state;
mod token;
mod types;
mod well_known;

use poem_openapi::Tags;

/// Every API of the service: what is listed here is routed, documented and tested.
pub(crate) type Apis = (
    login::LoginApi,
    token::TokenApi,
    register::RegisterApi,
    me::MeApi,
    password::PasswordApi,
    session::SessionApi,
    well_known::WellKnownApi,
    health::HealthApi,
);

/// One of each.
pub(crate) fn apis() -> Apis {
    (
        login::LoginApi,
        token::TokenApi,
        register::RegisterApi,
        me::MeApi,
        password::PasswordApi,
        session::SessionApi,
        well_known::WellKnownApi,
        health::HealthApi,
    )
}

/// The groups of operations; [`document`] puts them in this order.
#[derive(Tags)]
enum Tag {
    /// Sign in, and stay signed in.
    Login,
    /// Make an account, look at your own, change its password.
    Account,
    /// See where you are signed in, and sign out.
    Sessions,
    /// What other services need to verify access tokens.
    Keys,
    /// Whether the service runs, and whether to send it requests.
    Health,
}
