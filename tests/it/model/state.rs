//! The model: the expected users, sessions and tokens as plain lists, without a database or a clock.

use super::{ACCESS, GRACE, IDLE, LIFETIME, MAX_SESSIONS};
use crate::support::app::Tokens;

/// The clock leeway for the expiry of access tokens, in seconds.
const LEEWAY: u64 = 5;

/// The state of everything, and the time in seconds.
#[derive(Default)]
pub(super) struct Model {
    pub(super) now: u64,
    /// Users by index; `None` if deleted.
    pub(super) users: Vec<Option<UserState>>,
    /// All sessions ever opened, oldest first.
    pub(super) sessions: Vec<Session>,
    /// The number of detected reuses.
    pub(super) reuses: i64,
}

pub(super) struct UserState {
    /// The index of the user's password.
    pub(super) password: usize,
    pub(super) disabled: bool,
}

pub(super) struct Session {
    pub(super) user: usize,
    pub(super) id: String,
    ended: bool,
    pub(super) expires: u64,
    pub(super) idle_expires: u64,
    rotated: u64,
    /// The refresh tokens, the current one last.
    pub(super) refresh: Vec<String>,
    pub(super) access: Vec<Access>,
}

pub(super) struct Access {
    pub(super) token: String,
    expires: u64,
}

/// What happens when a refresh token is used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RefreshOutcome {
    /// A new token replaces it.
    Rotated,
    /// The same successor is returned again.
    Repeated(String),
    /// It is too old: its session ends.
    Reuse,
    /// Its session has ended.
    Rejected(EndCause),
}

/// Why a session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndCause {
    Ended,
    Idle,
    Lifetime,
}

impl Session {
    /// Returns when the grace period of the previous token ends.
    pub(super) fn grace_ends(&self) -> u64 {
        self.rotated + GRACE
    }

    /// Returns when the newest access token is rejected.
    pub(super) fn access_ends(&self) -> u64 {
        self.access.last().map_or(0, |access| access.expires + LEEWAY)
    }

    fn end_cause(&self, now: u64) -> Option<EndCause> {
        if self.ended {
            Some(EndCause::Ended)
        } else if now < self.idle_expires {
            None
        } else if self.idle_expires < self.expires {
            Some(EndCause::Idle)
        } else {
            Some(EndCause::Lifetime)
        }
    }

    /// Returns the lifetime of an access token issued now.
    fn access_lifetime(&self, now: u64) -> u64 {
        ACCESS.min(self.idle_expires - now)
    }
}

impl Model {
    /// Returns whether a login succeeds.
    pub(super) fn accepts_login(&self, user: usize, password: usize) -> bool {
        self.users[user].as_ref().is_some_and(|user| !user.disabled && user.password == password)
    }

    /// Opens a session. Returns how many older sessions it ended.
    pub(super) fn open_session(&mut self, user: usize, id: String, tokens: Tokens) -> usize {
        let live: Vec<_> = (0..self.sessions.len()).filter(|number| self.is_live_of(*number, user)).collect();
        let ended = live.len().saturating_sub(MAX_SESSIONS - 1);
        for number in &live[..ended] {
            self.sessions[*number].ended = true;
        }
        let mut session = Session {
            user,
            id,
            ended: false,
            expires: self.now + LIFETIME,
            idle_expires: self.now + IDLE,
            rotated: self.now,
            refresh: vec![tokens.refresh],
            access: Vec::new(),
        };
        let expires = self.now + session.access_lifetime(self.now);
        session.access.push(Access { token: tokens.access, expires });
        self.sessions.push(session);
        ended
    }

    /// Uses a refresh token of a session.
    pub(super) fn use_refresh_token(&mut self, number: usize, token: usize) -> RefreshOutcome {
        let now = self.now;
        let session = &mut self.sessions[number];
        if let Some(over) = session.end_cause(now) {
            return RefreshOutcome::Rejected(over);
        }
        let current = session.refresh.len() - 1;
        if token == current {
            session.rotated = now;
            session.idle_expires = session.expires.min(now + IDLE);
            RefreshOutcome::Rotated
        } else if token + 1 == current && now < session.grace_ends() {
            RefreshOutcome::Repeated(session.refresh[current].clone())
        } else {
            session.ended = true;
            self.reuses += 1;
            RefreshOutcome::Reuse
        }
    }

    /// Records the tokens of a response.
    pub(super) fn record_tokens(&mut self, number: usize, tokens: Tokens) {
        let session = &mut self.sessions[number];
        let expires = self.now + session.access_lifetime(self.now);
        session.access.push(Access { token: tokens.access, expires });
        if session.refresh.last() != Some(&tokens.refresh) {
            session.refresh.push(tokens.refresh);
        }
    }

    /// Returns the remaining lifetime of a session, and that of an access token issued now.
    pub(super) fn lifetimes(&self, number: usize) -> (u64, u64) {
        let session = &self.sessions[number];
        (session.idle_expires - self.now, session.access_lifetime(self.now))
    }

    pub(super) fn is_live(&self, number: usize) -> bool {
        self.sessions[number].end_cause(self.now).is_none()
    }

    pub(super) fn is_live_of(&self, number: usize, user: usize) -> bool {
        self.sessions[number].user == user && self.is_live(number)
    }

    /// Returns whether an access token is accepted.
    pub(super) fn accepts(&self, number: usize, access: &Access) -> bool {
        self.is_live(number) && self.now < access.expires + LEEWAY
    }

    pub(super) fn end(&mut self, number: usize) {
        self.sessions[number].ended = true;
    }

    /// Ends all sessions of a user except one.
    pub(super) fn end_all(&mut self, user: usize, except: Option<usize>) {
        for (number, session) in self.sessions.iter_mut().enumerate() {
            session.ended |= session.user == user && Some(number) != except;
        }
    }

    /// Returns the sorted IDs of a user's open sessions.
    pub(super) fn live_sessions_of(&self, user: usize) -> Vec<&str> {
        let live = self.sessions.iter().filter(|session| session.user == user && session.end_cause(self.now).is_none());
        let mut ids: Vec<_> = live.map(|session| session.id.as_str()).collect();
        ids.sort_unstable();
        ids
    }
}
