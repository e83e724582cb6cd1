//! Events that an operator may have to answer for or act upon.

use sea_orm::entity::prelude::*;

use crate::{
    clock::Timestamp,
    ids::{AuditEventId, SessionId, UserId},
};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(64))")]
pub enum Kind {
    /// A refresh token was presented after its successor had been used, or too late to be a lost answer; the session
    /// was ended.
    #[sea_orm(string_value = "refresh_token_reused")]
    RefreshTokenReused,
    /// A genuine refresh token was newer than the session's row, which is older than it should be; the session was
    /// ended.
    #[sea_orm(string_value = "refresh_token_ahead")]
    RefreshTokenAhead,
}

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_event")]
/// An event. It names accounts and sessions without referring to them, because it outlives both.
pub struct Model {
    /// The event's identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AuditEventId,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// What happened.
    pub kind: Kind,
    /// The account concerned.
    pub user_id: Option<UserId>,
    /// The session concerned.
    pub session_id: Option<SessionId>,
    /// The address of the client that caused it.
    pub address: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
