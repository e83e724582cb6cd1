//! Events that an operator may have to answer for or act upon.

use sea_orm::{DeleteMany, QueryOrder, QuerySelect, Select, UpdateMany, entity::prelude::*};

use crate::{
    clock::Timestamp,
    ids::{AuditEventId, RequestId, SessionId, UserId},
};

/// What happened, or was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(64))")]
pub enum Kind {
    /// The chain of events began.
    #[sea_orm(string_value = "trail_begun")]
    TrailBegun,
    /// The first key that signs access tokens was made.
    #[sea_orm(string_value = "signing_key_created")]
    SigningKeyCreated,
    /// All keys were given up, and all sessions with them.
    #[sea_orm(string_value = "keys_reset")]
    KeysReset,
    /// An account was made: by its owner, or by an operator.
    #[sea_orm(string_value = "account_created")]
    AccountCreated,
    /// An operator closed an account; its sessions were ended.
    #[sea_orm(string_value = "account_disabled")]
    AccountDisabled,
    /// An operator opened it again.
    #[sea_orm(string_value = "account_enabled")]
    AccountEnabled,
    /// An operator deleted it, and its sessions with it.
    #[sea_orm(string_value = "account_deleted")]
    AccountDeleted,
    /// Too many failures in a row closed an account to unknown devices.
    #[sea_orm(string_value = "account_locked")]
    AccountLocked,
    /// An operator made an end of that.
    #[sea_orm(string_value = "account_unlocked")]
    AccountUnlocked,
    /// A password was given to sign in.
    #[sea_orm(string_value = "login")]
    Login,
    /// The owner set a new password; all other sessions were ended.
    #[sea_orm(string_value = "password_changed")]
    PasswordChanged,
    /// An operator set a new password; all sessions were ended.
    #[sea_orm(string_value = "password_set")]
    PasswordSet,
    /// The owner signed out.
    #[sea_orm(string_value = "logout")]
    Logout,
    /// The owner ended one session, which the event names.
    #[sea_orm(string_value = "session_ended")]
    SessionEnded,
    /// The owner ended all sessions but the one that the event names.
    #[sea_orm(string_value = "other_sessions_ended")]
    OtherSessionsEnded,
    /// A refresh token was given back; its session was ended.
    #[sea_orm(string_value = "refresh_token_revoked")]
    RefreshTokenRevoked,
    /// A refresh token was presented after its successor had been used, or too late to be a lost answer; the session
    /// was ended.
    #[sea_orm(string_value = "refresh_token_reused")]
    RefreshTokenReused,
    /// A genuine refresh token was newer than the session's row, which is older than it should be; the session was
    /// ended.
    #[sea_orm(string_value = "refresh_token_ahead")]
    RefreshTokenAhead,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum Outcome {
    /// It was done.
    #[sea_orm(string_value = "success")]
    Success,
    /// It was refused.
    #[sea_orm(string_value = "failure")]
    Failure,
}

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum ActorKind {
    /// Whoever made a request.
    #[sea_orm(string_value = "client")]
    Client,
    /// Whoever used the command line.
    #[sea_orm(string_value = "operator")]
    Operator,
    /// The service by itself.
    #[sea_orm(string_value = "service")]
    Service,
}

/// Why it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))")]
pub enum Reason {
    /// No account has the name.
    #[sea_orm(string_value = "unknown_account")]
    UnknownAccount,
    /// The password is another one.
    #[sea_orm(string_value = "wrong_password")]
    WrongPassword,
    /// The password is right, and the account disabled.
    #[sea_orm(string_value = "account_disabled")]
    AccountDisabled,
    /// The account was disabled, deleted or given another password while this one was checked.
    #[sea_orm(string_value = "account_changed")]
    AccountChanged,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_event")]
/// An event. It names accounts and sessions without referring to them, because it outlives both; and it holds what was
/// written whether that can still be understood or not, because somebody may have tampered with it.
pub struct Model {
    /// The event's identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AuditEventId,
    /// Where it stands in the chain; none where it is older than that.
    pub position: Option<i64>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Who did it: an [`ActorKind`].
    pub actor: String,
    /// What happened: a [`Kind`].
    pub kind: String,
    /// What came of it: an [`Outcome`].
    pub outcome: String,
    /// Why it was refused, if it was: a [`Reason`].
    pub reason: Option<String>,
    /// The account concerned.
    pub user_id: Option<UserId>,
    /// The session concerned.
    pub session_id: Option<SessionId>,
    /// The address of the client that caused it.
    pub address: Option<String>,
    /// The request that caused it.
    pub request_id: Option<RequestId>,
    /// Authenticates all of that, and the event before.
    pub mac: Option<Vec<u8>>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// Events of the chain from `position` on, at most `most` of them.
    #[must_use]
    pub fn chained(position: i64, most: u64) -> Select<Self> {
        Self::find().filter(Column::Position.gte(position)).order_by_asc(COLUMN.position).limit(most)
    }

    /// The event at this position of the chain.
    #[must_use]
    pub fn at(position: i64) -> Select<Self> {
        Self::find().filter(Column::Position.eq(position))
    }

    /// The positions after `position` at which there are events.
    #[must_use]
    pub fn positions_beyond(position: i64) -> Select<Self> {
        Self::find().select_only().column(Column::Position).filter(Column::Position.gt(position))
    }

    /// Events of the chain before `position`.
    #[must_use]
    pub fn older_than(position: i64) -> Select<Self> {
        Self::find().filter(Column::Position.lt(position))
    }

    /// Events that happened before `date`.
    #[must_use]
    pub fn before(date: Timestamp) -> Select<Self> {
        Self::find().filter(Column::OccurredAt.lt(date))
    }

    /// Events outside the chain.
    #[must_use]
    pub fn outside() -> Select<Self> {
        Self::find().filter(Column::Position.is_null())
    }

    /// Removes the events of the chain before `position`.
    #[must_use]
    pub fn remove_older_than(position: i64) -> DeleteMany<Self> {
        Self::delete_many().filter(Column::Position.lt(position))
    }

    /// Removes the events outside the chain that happened before `date`.
    #[must_use]
    pub fn remove_outside_before(date: Timestamp) -> DeleteMany<Self> {
        Self::delete_many().filter(Column::Position.is_null()).filter(Column::OccurredAt.lt(date))
    }

    /// Takes all events out of the chain.
    #[must_use]
    pub fn unchain() -> UpdateMany<Self> {
        Self::update_many()
            .col_expr(Column::Position, Expr::value(Option::<i64>::None))
            .col_expr(Column::Mac, Expr::value(Option::<Vec<u8>>::None))
            .filter(Column::Position.is_not_null())
    }
}
