//! Audit events before they are recorded.

use sea_orm::ActiveEnum as _;

use crate::{
    clock::Timestamp,
    domain::request::Client,
    entity::audit_event::{self, ActorKind, Kind, Outcome, Reason},
    ids::{AuditEventId, SessionId, UserId},
};

/// Who caused an event.
#[derive(Clone, Copy, Debug)]
pub enum Actor<'a> {
    /// The client of a request.
    Client(&'a Client),
    /// An operator at the command line.
    Operator,
    /// The service itself.
    Service,
}

/// An event to record.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    kind: Kind,
    actor: Actor<'a>,
    outcome: Outcome,
    reason: Option<Reason>,
    user: Option<UserId>,
    session: Option<SessionId>,
}

impl<'a> Event<'a> {
    /// Creates the event of a successful action.
    pub const fn success(kind: Kind, actor: Actor<'a>) -> Self {
        Self { kind, actor, outcome: Outcome::Success, reason: None, user: None, session: None }
    }

    /// Creates the event of a rejected attempt of a client.
    pub const fn failure(kind: Kind, client: &'a Client) -> Self {
        Self { outcome: Outcome::Failure, ..Self::success(kind, Actor::Client(client)) }
    }

    /// Sets the reason for the rejection.
    pub const fn reason(self, reason: Reason) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// Sets the user that the event is about.
    pub const fn user(self, user: Option<UserId>) -> Self {
        Self { user, ..self }
    }

    /// Sets the session that the event is about.
    pub const fn session(self, session: SessionId) -> Self {
        Self { session: Some(session), ..self }
    }

    /// Returns the row of the event, outside any chain.
    pub(super) fn into_row(self, now: Timestamp) -> audit_event::Model {
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
            client_ip: client.map(Client::ip_text),
            request_id: client.map(|client| client.request_id),
            mac: None,
        }
    }
}
