//! Sessions: open, look up, revoke.

mod rows;
mod settings;

pub use self::{
    rows::{OpenedSession, delete_expired_sessions, find_live_session, open_session, revoke_others, revoke_session},
    settings::{MAX_PER_USER, SessionSettings},
};
