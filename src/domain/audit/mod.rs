//! The audit log: who did what, from where, and with what outcome (OWASP ASVS 16.3).
//!
//! The event of a change is written in the transaction of that change, so neither exists without the other. Client
//! input is never stored, because a mistyped username may be a password.
//!
//! The events form one hash chain for all instances, in the order of their commits. Each event has a MAC over itself
//! and the previous event, and the head has a MAC over both ends of the chain. Without the key, nobody can alter,
//! remove, add or move an event of the chain undetected. The database alone cannot reveal that all its tables were
//! restored from an older copy. To detect that, record the position and MAC of the newest event elsewhere.

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
