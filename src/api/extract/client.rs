//! The client of a request.

use std::net::IpAddr;

use poem::{FromRequest, Request, RequestBody, Result, http::header};

use crate::{api::schema::Problem, domain::request::Client, ids::RequestId};

/// The client IP of a request. The server determines it and attaches it to every request.
#[derive(Clone, Copy, Debug)]
pub struct ClientIp(pub IpAddr);

/// The client of a request: its IP and user agent, and the id of the request.
pub(crate) struct ClientInfo(pub(crate) Client);

impl<'a> FromRequest<'a> for ClientInfo {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        let &ClientIp(ip) = request.data().ok_or_else(|| Problem::internal("the request has no client IP"))?;
        let &request_id: &RequestId = request.data().ok_or_else(|| Problem::internal("the request has no id"))?;
        let user_agent = request.header(header::USER_AGENT).map(ToOwned::to_owned);
        Ok(Self(Client { ip, user_agent, request_id }))
    }
}
