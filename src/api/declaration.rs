//! Tags and links: what the document says about operations beside the types of their handlers.

use poem_openapi::Tags;

/// The groups of operations.
#[derive(Tags)]
pub(crate) enum Tag {
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

/// A link of the document: an operation that can follow a response of another one.
pub(crate) struct Link {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    /// The `operationId` of the operation that responds.
    pub(crate) from: &'static str,
    /// The status of that response.
    pub(crate) status: u16,
    /// The `operationId` of the operation that can follow.
    pub(crate) to: &'static str,
    /// The body of the request that follows, as one runtime expression; openapi-generator supports no other form.
    pub(crate) request_body: &'static str,
}
