//! Audit events.

use sea_orm::{DeleteMany, QueryOrder, QuerySelect, Select, UpdateMany, entity::prelude::*};

use crate::{
    clock::Timestamp,
    ids::{AuditEventId, RequestId, SessionId, UserId},
};

/// The kind of an event: what happened or was attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(64))")]
pub enum Kind {
    /// The audit log was started.
    #[sea_orm(string_value = "audit_log_started")]
    AuditLogStarted,
    /// The first key that signs access tokens was created.
    #[sea_orm(string_value = "signing_key_created")]
    SigningKeyCreated,
    /// An operator deleted all keys and, with them, all sessions.
    #[sea_orm(string_value = "keys_reset")]
    KeysReset,
    /// A user registered, or was created by an operator.
    #[sea_orm(string_value = "user_created")]
    UserCreated,
    /// An operator disabled a user; all sessions were revoked.
    #[sea_orm(string_value = "user_disabled")]
    UserDisabled,
    /// An operator enabled a user again.
    #[sea_orm(string_value = "user_enabled")]
    UserEnabled,
    /// An operator deleted a user; all sessions were revoked.
    #[sea_orm(string_value = "user_deleted")]
    UserDeleted,
    /// Too many consecutive failed login attempts locked a user out, except on known networks.
    #[sea_orm(string_value = "user_locked")]
    UserLocked,
    /// An operator ended a lockout.
    #[sea_orm(string_value = "user_unlocked")]
    UserUnlocked,
    /// A login attempt.
    #[sea_orm(string_value = "login")]
    Login,
    /// A user changed the password; all other sessions were revoked.
    #[sea_orm(string_value = "password_changed")]
    PasswordChanged,
    /// An operator set a password; all sessions were revoked.
    #[sea_orm(string_value = "password_set")]
    PasswordSet,
    /// A user logged out.
    #[sea_orm(string_value = "logout")]
    Logout,
    /// A user revoked one session, which the event names.
    #[sea_orm(string_value = "session_revoked")]
    SessionRevoked,
    /// A user revoked all sessions except the one that the event names.
    #[sea_orm(string_value = "other_sessions_revoked")]
    OtherSessionsRevoked,
    /// A client revoked a refresh token, and with it the session.
    #[sea_orm(string_value = "refresh_token_revoked")]
    RefreshTokenRevoked,
    /// A refresh token was reused after its grace period, or after its successor was used. The session was revoked.
    #[sea_orm(string_value = "refresh_token_reused")]
    RefreshTokenReused,
    /// An authentic refresh token was newer than the row of its session, for example after a restored backup. The
    /// session was revoked.
    #[sea_orm(string_value = "refresh_token_out_of_sequence")]
    RefreshTokenOutOfSequence,
}

/// The outcome of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum Outcome {
    /// The action succeeded.
    #[sea_orm(string_value = "success")]
    Success,
    /// The attempt was rejected.
    #[sea_orm(string_value = "failure")]
    Failure,
}

/// Who caused an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum ActorKind {
    /// The client of a request.
    #[sea_orm(string_value = "client")]
    Client,
    /// An operator at the command line.
    #[sea_orm(string_value = "operator")]
    Operator,
    /// The service itself.
    #[sea_orm(string_value = "service")]
    Service,
}

/// Why an attempt was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))")]
pub enum Reason {
    /// No user has the name.
    #[sea_orm(string_value = "unknown_user")]
    UnknownUser,
    /// The password is wrong.
    #[sea_orm(string_value = "wrong_password")]
    WrongPassword,
    /// The password is right, but the user is disabled.
    #[sea_orm(string_value = "user_disabled")]
    UserDisabled,
    /// The user was disabled, deleted or given a new password while this one was verified.
    #[sea_orm(string_value = "user_changed")]
    UserChanged,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_event")]
/// An audit event. It has no foreign keys, because it outlives users and sessions. Actor, kind, outcome and reason are
/// plain text, so that a row with an unknown value can still be read.
pub struct Model {
    /// The identifier of the event.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AuditEventId,
    /// The position in the hash chain. `None` if the event is older than the chain.
    pub position: Option<i64>,
    /// When the event happened.
    pub occurred_at: Timestamp,
    /// Who caused the event: an [`ActorKind`].
    pub actor: String,
    /// What happened: a [`Kind`].
    pub kind: String,
    /// The outcome: an [`Outcome`].
    pub outcome: String,
    /// Why the attempt was rejected: a [`Reason`].
    pub reason: Option<String>,
    /// The user that the event is about.
    pub user_id: Option<UserId>,
    /// The session that the event is about.
    pub session_id: Option<SessionId>,
    /// The IP address of the client that caused the event.
    pub client_ip: Option<String>,
    /// The request that caused the event.
    pub request_id: Option<RequestId>,
    /// The MAC that authenticates this event and the previous one.
    pub mac: Option<Vec<u8>>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// Selects the events of the chain at or after `position`, at most `limit` of them.
    pub fn chained_from(position: i64, limit: u64) -> Select<Self> {
        Self::find().filter(Column::Position.gte(position)).order_by_asc(COLUMN.position).limit(limit)
    }

    /// Selects the event at this position of the chain.
    pub fn by_position(position: i64) -> Select<Self> {
        Self::find().filter(Column::Position.eq(position))
    }

    /// Selects the positions of the events after `position`.
    pub fn positions_after(position: i64) -> Select<Self> {
        Self::find().select_only().column(Column::Position).filter(Column::Position.gt(position))
    }

    /// Selects the events of the chain before `position`.
    pub fn chained_before(position: i64) -> Select<Self> {
        Self::find().filter(Column::Position.lt(position))
    }

    /// Selects the events that happened before `time`.
    pub fn occurred_before(time: Timestamp) -> Select<Self> {
        Self::find().filter(Column::OccurredAt.lt(time))
    }

    /// Selects the events outside the chain.
    pub fn outside() -> Select<Self> {
        Self::find().filter(Column::Position.is_null())
    }

    /// Deletes the events of the chain before `position`.
    pub fn delete_chained_before(position: i64) -> DeleteMany<Self> {
        Self::delete_many().filter(Column::Position.lt(position))
    }

    /// Selects the events outside the chain that happened before `time`, at most `limit` of them.
    pub fn outside_before(time: Timestamp, limit: u64) -> Select<Self> {
        Self::outside().filter(Column::OccurredAt.lt(time)).limit(limit)
    }

    /// Deletes these events.
    pub fn delete_by_ids(ids: Vec<AuditEventId>) -> DeleteMany<Self> {
        Self::delete_many().filter(Column::Id.is_in(ids))
    }

    /// Removes all events from the chain.
    pub fn unchain() -> UpdateMany<Self> {
        Self::update_many()
            .col_expr(Column::Position, Expr::value(Option::<i64>::None))
            .col_expr(Column::Mac, Expr::value(Option::<Vec<u8>>::None))
            .filter(Column::Position.is_not_null())
    }
}
