//! What an API declares about its operations beside their Rust types.

use poem_openapi::{OpenApi, Tags};

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

impl Tag {
    /// Every tag, in the order of the document.
    pub(crate) const ALL: [Self; 5] = [Self::Login, Self::Account, Self::Sessions, Self::Keys, Self::Health];
}

/// A link of the document: an operation that can follow a response of another one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    /// The link's name.
    pub(crate) name: &'static str,
    /// The `operationId` of the operation that responds.
    pub(crate) from: &'static str,
    /// The status of that response.
    pub(crate) status: u16,
    /// The `operationId` of the operation that can follow.
    pub(crate) to: &'static str,
    /// The body of the request that follows, as one runtime expression; openapi-generator supports no other form.
    pub(crate) request_body: &'static str,
    /// The description of the link.
    pub(crate) description: &'static str,
}

/// An API that declares what the types of its handlers do not express.
pub(crate) trait DeclaredApi: OpenApi + Default {
    /// The links from responses of its operations.
    const LINKS: &'static [Link] = &[];

    /// The `operationId`s of the operations that may revoke the session of the request's access token. The document marks
    /// them with `x-ends-session`.
    const ENDS_SESSION: &'static [&'static str] = &[];

    /// Whether its operations use the [`App`](crate::domain::app::App), which is unavailable while the server starts.
    const USES_APP: bool = true;
}
