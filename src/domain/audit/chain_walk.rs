//! A walk along the hash chain, which checks each event against the previous one.

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};

use super::{
    finding::{Finding, MAX_FINDINGS},
    mac::event_mac,
};
use crate::entity::{audit_event, audit_head};

/// The state of a walk.
pub(super) struct ChainWalk<'a> {
    key: &'a hmac::Key,
    /// The position that is checked next.
    pub(super) next: i64,
    /// The MAC of the previous event, if that event is known.
    previous_mac: Option<Vec<u8>>,
    /// The last position of the chain.
    pub(super) last: i64,
    /// The MAC of the last event.
    last_mac: &'a [u8],
    /// The number of events that have been checked.
    pub(super) events: u64,
    /// The differences found so far.
    pub(super) findings: Vec<Finding>,
}

impl<'a> ChainWalk<'a> {
    /// Begins a walk at the first event of the chain.
    pub(super) fn new(key: &'a hmac::Key, head: &'a audit_head::Model) -> Self {
        Self {
            key,
            next: head.first_position,
            previous_mac: Some(head.first_mac.clone()),
            last: head.last_position,
            last_mac: &head.last_mac,
            events: 0,
            findings: Vec::new(),
        }
    }

    /// Checks an event. Ignores events outside the walk.
    pub(super) fn check(&mut self, event: &audit_event::Model) {
        let Some(position) = event.position.filter(|position| (self.next..=self.last).contains(position)) else {
            return;
        };
        self.skip_to(position);

        let mac = event.mac.as_deref().unwrap_or(&[]);
        // An event after an unknown one cannot be checked.
        if let Some(previous) = &self.previous_mac
            && verify_slices_are_equal(&event_mac(self.key, previous, event), mac).is_err()
        {
            self.report(Finding::Altered(position));
        }
        self.events = self.events.saturating_add(1);
        self.previous_mac = Some(mac.to_vec());
        self.next = position.saturating_add(1);
    }

    /// Reports an event that cannot be read.
    pub(super) fn report_unreadable(&mut self, position: i64) {
        self.skip_to(position);
        self.report(Finding::Unreadable(position));
        self.previous_mac = None;
        self.next = position.saturating_add(1);
    }

    /// Continues at `position`, and reports the events before it as removed.
    pub(super) fn skip_to(&mut self, position: i64) {
        if self.next < position {
            self.report(Finding::Removed(self.next, position.saturating_sub(1)));
            self.previous_mac = None;
            self.next = position;
        }
    }

    /// Reports the events that are missing at the end, and compares the last MAC with that of the head.
    pub(super) fn finish(&mut self) {
        self.skip_to(self.last.saturating_add(1));
        if self.previous_mac.as_deref().is_some_and(|mac| verify_slices_are_equal(mac, self.last_mac).is_err()) {
            self.report(Finding::Altered(self.last));
        }
    }

    fn report(&mut self, finding: Finding) {
        if self.findings.len() < MAX_FINDINGS && self.findings.last() != Some(&finding) {
            self.findings.push(finding);
        }
    }
}
