//! Tags and links: the parts of the document that the types of the handlers do not express.

use poem_openapi::Tags;

/// The groups of operations.
#[derive(Tags)]
pub(crate) enum Tag {
    /// Log in, refresh the tokens of a session, and revoke them.
    Login,
    /// Register a user, get the authenticated user, and change the password.
    Account,
    /// List and revoke the sessions of the authenticated user, and log out.
    Sessions,
    /// Get the public keys with which other services verify access tokens.
    Keys,
    /// Check whether an instance is running and accepts requests.
    Health,
}

/// A link of the document: an operation that can follow a response of another operation.
pub(crate) struct Link {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    /// The `operationId` of the operation that responds.
    pub(crate) from: &'static str,
    /// The status of that response.
    pub(crate) status: u16,
    /// The `operationId` of the operation that can come next.
    pub(crate) to: &'static str,
    /// The body of the next request, as one runtime expression; openapi-generator supports no other form.
    pub(crate) request_body: &'static str,
}
