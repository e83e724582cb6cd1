//! The list of all APIs.

use poem_openapi::registry::MetaApi;

use super::{
    account::AccountApi,
    declaration::{DeclaredApi, Link},
    health::HealthApi,
    login::LoginApi,
    sessions::SessionsApi,
    well_known::WellKnownApi,
};

/// One API as the document describes it.
pub(crate) struct ApiDeclaration {
    /// Its operations, as poem-openapi derives them.
    pub(crate) operations: Vec<MetaApi>,
    /// [`DeclaredApi::LINKS`]
    pub(crate) links: &'static [Link],
    /// [`DeclaredApi::ENDS_SESSION`]
    pub(crate) ends_session: &'static [&'static str],
    /// [`DeclaredApi::USES_APP`]
    pub(crate) uses_app: bool,
}

impl ApiDeclaration {
    fn of<A: DeclaredApi>() -> Self {
        Self { operations: A::meta(), links: A::LINKS, ends_session: A::ENDS_SESSION, uses_app: A::USES_APP }
    }
}

macro_rules! list_apis {
    ($($api:ident),* $(,)?) => {
        /// Every API of the service. What is listed here is routed, documented and tested.
        pub(crate) type Apis = ($($api,)*);

        /// Returns the declaration of every API, in the order of the document.
        pub(crate) fn declarations() -> Vec<ApiDeclaration> {
            vec![$(ApiDeclaration::of::<$api>(),)*]
        }
    };
}

list_apis![LoginApi, AccountApi, SessionsApi, WellKnownApi, HealthApi];
