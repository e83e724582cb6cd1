//! The audit trail: who did what, from where, and what came of it (OWASP ASVS 16.3). Each event is written in the
//! transaction of what it tells, so that neither is there without the other, and nothing changes it afterwards.
//!
//! Events stand in one chain for all instances, in the order of their commits: each has a keyed hash over itself and the
//! one before, and the head of the chain has one over where it begins and ends. So what is edited, removed, added or
//! moved later is found, unless the key was known as well. What no chain can tell from the database alone is a whole
//! older state of it, put back; the head's position and hash, noted elsewhere, do.
//!
//! Nothing that a client made up is kept beside its address: what is no name of an account may be a password that was
//! typed into the wrong field.

mod chain;
mod list;
mod verify;

use std::time::Duration;

use sea_orm::ActiveEnum as _;

pub use self::{
    chain::Trail,
    list::{Filter, list},
    verify::{Finding, Verified, verify},
};
pub use crate::entity::audit_event::{ActorKind, Kind, Model as Entry, Outcome, Reason};

pub(super) use self::chain::{clean_up, give_up, head};

use super::session::Client;
use crate::{
    clock::Timestamp,
    entity::audit_event,
    ids::{AuditEventId, SessionId, UserId},
};

/// How long events are kept.
#[derive(Clone, Copy, Debug)]
pub struct AuditSettings {
    /// From when they happened.
    pub retention: Duration,
}

/// Who causes an event.
#[derive(Clone, Copy, Debug)]
pub enum Actor<'a> {
    /// Whoever makes a request.
    Client(&'a Client),
    /// Whoever uses the command line.
    Operator,
    /// The service by itself.
    Service,
}

/// Something to be noted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event<'a> {
    kind: Kind,
    actor: Actor<'a>,
    outcome: Outcome,
    reason: Option<Reason>,
    user: Option<UserId>,
    session: Option<SessionId>,
}

impl<'a> Event<'a> {
    /// Something was done.
    pub(super) const fn done(kind: Kind, actor: Actor<'a>) -> Self {
        Self { kind, actor, outcome: Outcome::Success, reason: None, user: None, session: None }
    }

    /// Something was refused.
    pub(super) const fn refused(kind: Kind, client: &'a Client) -> Self {
        Self { outcome: Outcome::Failure, ..Self::done(kind, Actor::Client(client)) }
    }

    /// Why.
    pub(super) const fn because(self, reason: Reason) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// The account that it concerns, if any has.
    pub(super) const fn of(self, user: Option<UserId>) -> Self {
        Self { user, ..self }
    }

    /// The session that it concerns.
    pub(super) const fn session(self, session: SessionId) -> Self {
        Self { session: Some(session), ..self }
    }

    /// Its row, outside any chain.
    fn row(self, now: Timestamp) -> audit_event::Model {
        let (actor, client) = match self.actor {
            Actor::Client(client) => (ActorKind::Client, Some(client)),
            Actor::Operator => (ActorKind::Operator, None),
            Actor::Service => (ActorKind::Service, None),
        };
        audit_event::Model {
            id: AuditEventId::random(),
            position: None,
            occurred_at: now,
            actor: actor.to_value(),
            kind: self.kind.to_value(),
            outcome: self.outcome.to_value(),
            reason: self.reason.map(|reason| reason.to_value()),
            user_id: self.user,
            session_id: self.session,
            address: client.map(Client::address),
            request_id: client.map(|client| client.request),
            mac: None,
        }
    }
}
