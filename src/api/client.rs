//! Where a request came from.

use poem::{Addr, FromRequest, Request, RequestBody, Result, http::header};

use super::problem::{Problem, ProblemCode};
use crate::domain::session::Client;

/// The client of a request: the address of the peer, and what it calls itself.
pub(super) struct ClientInfo(pub(super) Client);

impl<'a> FromRequest<'a> for ClientInfo {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        let Addr::SocketAddr(peer) = request.remote_addr().0 else {
            return Err(Problem::new(ProblemCode::Internal).caused_by("the peer has no address").into());
        };
        let user_agent = request.header(header::USER_AGENT).map(ToOwned::to_owned);
        Ok(Self(Client { address: peer.ip(), user_agent }))
    }
}
