//! Where a request came from.

use std::net::IpAddr;

use poem::{FromRequest, Request, RequestBody, Result, http::header};

use super::problem::{Problem, ProblemCode};
use crate::{domain::request::Client, ids::RequestId};

/// The address from which a request came; the server finds it out and attaches it to every request.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

/// The client of a request: its address, and what it calls itself.
pub(super) struct ClientInfo(pub(super) Client);

impl<'a> FromRequest<'a> for ClientInfo {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        let Some(&ClientAddress(address)) = request.data() else {
            return Err(Problem::new(ProblemCode::Internal).caused_by("the request has no address").into());
        };
        let user_agent = request.header(header::USER_AGENT).map(ToOwned::to_owned);
        let Some(&id) = request.data::<RequestId>() else {
            return Err(Problem::new(ProblemCode::Internal).caused_by("the request has no identifier").into());
        };
        Ok(Self(Client { ip: address, user_agent, request_id: id }))
    }
}
