//! What handlers read from a request beside its body: the access token, the client and the `App`.

pub(super) mod bearer;
mod client;
pub(super) mod state;

pub use self::client::ClientIp;
pub(crate) use self::{bearer::Bearer, client::ClientInfo, state::State};
