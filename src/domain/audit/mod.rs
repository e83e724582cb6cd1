//! The audit log: who did what, from where, and how it ended (OWASP ASVS 16.3).
//!
//! Each event is written in the transaction of what it records, so neither exists without the other. No name or other
//! text from a client is stored, except its IP address: a mistyped name may be a password.
//!
//! The events form one hash chain for all instances, in the order of their commits. Each has a MAC over itself and the
//! one before it, and the head of the chain has a MAC over its first and last position. Without the key, nobody can
//! alter, remove, add or move an event unnoticed. What the database alone cannot reveal is a restored older copy of all
//! tables. To detect that, note the position and MAC of the head elsewhere.

mod chain_walk;
mod cleanup;
mod event;
mod finding;
mod list;
mod log;
mod mac;
mod verify;

pub use self::{
    cleanup::delete_old_events,
    event::{Actor, Event},
    finding::Finding,
    list::{Filter, list, parse_value},
    log::{AuditLog, abandon_chain, read_head},
    verify::{Verification, verify},
};
pub use crate::entity::audit_event::{ActorKind, Kind, Model as Entry, Outcome, Reason};
