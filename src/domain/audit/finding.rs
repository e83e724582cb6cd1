//! The findings of a verification.

use std::fmt;

/// The maximum number of findings that a verification reports. One edit can alter many rows.
pub(super) const MAX_FINDINGS: usize = 100;

/// A difference between the audit log and its MACs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The head of the chain was altered.
    HeadAltered,
    /// The head of the chain was removed.
    HeadRemoved,
    /// The events from the first to the second position were removed.
    Removed(i64, i64),
    /// The event at this position was altered, or replaced by another one.
    Altered(i64),
    /// The event at this position was altered and cannot be read.
    Unreadable(i64),
    /// This many events were added before the beginning or after the end of the chain.
    Added(u64),
    /// The number of events outside the chain differs from the head. The first number is the actual count, and the
    /// second the count in the head.
    Outside(u64, i64),
}

impl Finding {
    /// Returns the finding without the events before `first_kept`, which the cleanup has deleted. Returns `None` if
    /// nothing is left.
    pub(super) fn after_cleanup(self, first_kept: i64) -> Option<Self> {
        match self {
            Self::Removed(_, last) if last < first_kept => None,
            Self::Removed(first, last) => Some(Self::Removed(first.max(first_kept), last)),
            other => Some(other),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeadAltered => write!(f, "the head of the audit log was altered"),
            Self::HeadRemoved => write!(f, "the head of the audit log was removed"),
            Self::Removed(first, last) if first == last => write!(f, "event {first} was removed"),
            Self::Removed(first, last) => write!(f, "events {first} to {last} were removed"),
            Self::Altered(position) => write!(f, "event {position} was altered or moved"),
            Self::Unreadable(position) => write!(f, "event {position} was altered and cannot be read"),
            Self::Added(events) => write!(f, "{events} events were added before the beginning or after the end"),
            Self::Outside(found, expected) => {
                write!(f, "{found} events are outside the chain, but the head records {expected}")
            }
        }
    }
}
