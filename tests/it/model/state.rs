//! The model: what accounts, sessions and tokens are to be, in plain lists, without a database and without a clock.

use super::{ACCESS, GRACE, IDLE, LIFETIME, MOST};
use crate::support::app::Tokens;

/// How long after its end an access token is still taken for valid, in seconds.
const LEEWAY: u64 = 5;

/// Everything there is, and the time in seconds.
#[derive(Default)]
pub(super) struct Model {
    pub(super) now: u64,
    /// By their numbers; none where an account is deleted.
    pub(super) accounts: Vec<Option<Account>>,
    /// Every session there ever was, in the order of their beginning.
    pub(super) sessions: Vec<Session>,
    /// How often a token was seen that had been used before.
    pub(super) reuses: i64,
}

pub(super) struct Account {
    /// The number of its password.
    pub(super) password: usize,
    pub(super) disabled: bool,
}

pub(super) struct Session {
    pub(super) account: usize,
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

/// What becomes of a refresh token that is presented.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    /// A new one takes its place.
    Next,
    /// It answers this one again.
    Same(String),
    /// It is too old: its session ends.
    Reuse,
    /// Its session is over.
    Refused(Over),
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    Ended,
    Idle,
    Lifetime,
}

impl Session {
    /// When the last token but one is no longer answered.
    pub(super) fn grace_ends(&self) -> u64 {
        self.rotated + GRACE
    }

    /// When its newest access token is refused.
    pub(super) fn access_ends(&self) -> u64 {
        self.access.last().map_or(0, |access| access.expires + LEEWAY)
    }

    fn over(&self, now: u64) -> Option<Over> {
        if self.ended {
            Some(Over::Ended)
        } else if now < self.idle_expires {
            None
        } else if self.idle_expires < self.expires {
            Some(Over::Idle)
        } else {
            Some(Over::Lifetime)
        }
    }

    /// How long an access token that is made now is valid.
    fn lasts(&self, now: u64) -> u64 {
        ACCESS.min(self.idle_expires - now)
    }
}

impl Model {
    /// Whether a name and a password open an account.
    pub(super) fn lets_in(&self, account: usize, password: usize) -> bool {
        self.accounts[account].as_ref().is_some_and(|account| !account.disabled && account.password == password)
    }

    /// A login has succeeded; how many older sessions it has ended.
    pub(super) fn opened(&mut self, account: usize, id: String, tokens: Tokens) -> usize {
        let live: Vec<_> = (0..self.sessions.len()).filter(|number| self.is_live_of(*number, account)).collect();
        let ended = live.len().saturating_sub(MOST - 1);
        for number in &live[..ended] {
            self.sessions[*number].ended = true;
        }
        let mut session = Session {
            account,
            id,
            ended: false,
            expires: self.now + LIFETIME,
            idle_expires: self.now + IDLE,
            rotated: self.now,
            refresh: vec![tokens.refresh],
            access: Vec::new(),
        };
        let expires = self.now + session.lasts(self.now);
        session.access.push(Access { token: tokens.access, expires });
        self.sessions.push(session);
        ended
    }

    /// Somebody presents a refresh token of a session, by its number.
    pub(super) fn presents(&mut self, number: usize, token: usize) -> Renewal {
        let now = self.now;
        let session = &mut self.sessions[number];
        if let Some(over) = session.over(now) {
            return Renewal::Refused(over);
        }
        let current = session.refresh.len() - 1;
        if token == current {
            session.rotated = now;
            session.idle_expires = session.expires.min(now + IDLE);
            Renewal::Next
        } else if token + 1 == current && now < session.grace_ends() {
            Renewal::Same(session.refresh[current].clone())
        } else {
            session.ended = true;
            self.reuses += 1;
            Renewal::Reuse
        }
    }

    /// A session was answered new tokens, or the same refresh token once more.
    pub(super) fn renewed(&mut self, number: usize, tokens: Tokens) {
        let session = &mut self.sessions[number];
        let expires = self.now + session.lasts(self.now);
        session.access.push(Access { token: tokens.access, expires });
        if session.refresh.last() != Some(&tokens.refresh) {
            session.refresh.push(tokens.refresh);
        }
    }

    /// For how long a session lasts unless it is renewed, and an access token that is made now.
    pub(super) fn spans(&self, number: usize) -> (u64, u64) {
        let session = &self.sessions[number];
        (session.idle_expires - self.now, session.lasts(self.now))
    }

    pub(super) fn is_live(&self, number: usize) -> bool {
        self.sessions[number].over(self.now).is_none()
    }

    pub(super) fn is_live_of(&self, number: usize, account: usize) -> bool {
        self.sessions[number].account == account && self.is_live(number)
    }

    /// Whether an access token of a session opens anything.
    pub(super) fn knows(&self, number: usize, access: &Access) -> bool {
        self.is_live(number) && self.now < access.expires + LEEWAY
    }

    pub(super) fn end(&mut self, number: usize) {
        self.sessions[number].ended = true;
    }

    /// Ends all sessions of an account but one.
    pub(super) fn end_all(&mut self, account: usize, but: Option<usize>) {
        for (number, session) in self.sessions.iter_mut().enumerate() {
            session.ended |= session.account == account && Some(number) != but;
        }
    }

    /// The identifiers of an account's live sessions, sorted.
    pub(super) fn live_of(&self, account: usize) -> Vec<&str> {
        let live =
            self.sessions.iter().filter(|session| session.account == account && session.over(self.now).is_none());
        let mut ids: Vec<_> = live.map(|session| session.id.as_str()).collect();
        ids.sort_unstable();
        ids
    }
}
