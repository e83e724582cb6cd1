//! Whether the trail is as it was written.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sea_orm::PaginatorTrait as _;

use super::{
    super::{
        App,
        fault::{Doing as _, Fault},
    },
    Entry, Trail, chain,
};
use crate::entity::{audit_event, audit_head};

/// How many events are read at once.
const BATCH: u64 = 500;
/// How many findings are told: one hand that edits many rows need not fill the screen.
const MOST_FINDINGS: usize = 100;
const READING: &str = "reading audit events";

/// Something that is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The head of the chain was altered.
    Head,
    /// The head of the chain is gone.
    NoHead,
    /// The events from the first of these positions to the second are gone.
    Removed(i64, i64),
    /// The event at this position was altered, or put in the place of another one.
    Altered(i64),
    /// The event at this position was altered so that it cannot be read.
    Unreadable(i64),
    /// This many events were added before the beginning of the chain or after its end.
    Added(u64),
    /// The first number of events stand outside the chain, where the second number of them should.
    Outside(u64, i64),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => write!(f, "the head of the trail was altered"),
            Self::NoHead => write!(f, "the head of the trail was removed"),
            Self::Removed(first, last) if first == last => write!(f, "event {first} was removed"),
            Self::Removed(first, last) => write!(f, "events {first} to {last} were removed"),
            Self::Altered(position) => write!(f, "event {position} was altered or moved"),
            Self::Unreadable(position) => write!(f, "event {position} was altered and cannot be read"),
            Self::Added(events) => write!(f, "{events} events were added before the beginning or after the end"),
            Self::Outside(there, due) => write!(f, "{there} events stand outside the chain, where {due} should"),
        }
    }
}

/// What was found out about the trail.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// How many events were checked.
    pub events: u64,
    /// The position of the oldest event that is kept.
    pub first: i64,
    /// The position of the newest event.
    pub last: i64,
    /// The MAC of the newest event in base64url: with its position, what can be noted elsewhere.
    pub head: String,
    /// How many events are older than the chain, and not covered by it.
    pub outside: u64,
    /// What is wrong, at most a hundred findings; none when all is well.
    pub findings: Vec<Finding>,
}

/// Reads the whole chain and checks each event. Others may add to its end and clear its beginning away meanwhile.
///
/// # Errors
/// The database's.
pub async fn verify(app: &App) -> Result<Verified, Fault> {
    let trail = app.keyring.trail();
    let Some(begun) = chain::head(&app.db).await? else {
        return Ok(Verified { findings: vec![Finding::NoHead], ..Verified::default() });
    };
    let mut walk = Walk::new(trail, &begun);
    while walk.next <= begun.last_position {
        let from = walk.next;
        match audit_event::Entity::chained(from, BATCH).all(&app.db).await.doing(READING) {
            Ok(rows) if rows.is_empty() => break,
            Ok(rows) => rows.iter().for_each(|row| walk.pass(row)),
            Err(Fault::Internal { .. }) => one_by_one(app, &mut walk, from).await?,
            Err(fault) => return Err(fault),
        }
    }
    walk.end();
    let (outside, around) = around(app, &begun).await?;
    let findings = [walk.findings, around].concat();
    let kept = chain::head(&app.db).await?.map_or(begun.first_position, |head| head.first_position);
    Ok(Verified {
        events: walk.events,
        first: begun.first_position,
        last: begun.last_position,
        head: URL_SAFE_NO_PAD.encode(&begun.last_mac),
        outside,
        findings: findings.into_iter().filter_map(|finding| remaining(finding, kept)).take(MOST_FINDINGS).collect(),
    })
}

/// Passes a batch of which a row cannot be read: each by itself, to tell which.
async fn one_by_one(app: &App, walk: &mut Walk<'_>, from: i64) -> Result<(), Fault> {
    let until = from.saturating_add(BATCH.cast_signed()).min(walk.last.saturating_add(1));
    for position in from..until {
        match audit_event::Entity::at(position).one(&app.db).await.doing(READING) {
            Ok(row) => row.iter().for_each(|row| walk.pass(row)),
            Err(Fault::Internal { .. }) => walk.unreadable(position),
            Err(fault) => return Err(fault),
        }
    }
    walk.skip_to(until);
    Ok(())
}

/// How many events stand outside the chain; what is wrong with them, with the head, and with what stands before and after
/// its chain.
async fn around(app: &App, begun: &audit_head::Model) -> Result<(u64, Vec<Finding>), Fault> {
    let genuine = verify_slices_are_equal(&app.keyring.trail().sealed(begun.clone()).mac, &begun.mac).is_ok();
    let mut findings = if genuine { Vec::new() } else { vec![Finding::Head] };
    let before = audit_event::Entity::older_than(begun.first_position).count(&app.db).await.doing(READING)?;
    // The head is read after what it must cover.
    let after = audit_event::Entity::positions_beyond(begun.last_position).into_tuple::<i64>().all(&app.db).await;
    let after = after.doing(READING)?;
    let Some(head) = chain::head(&app.db).await? else { return Ok((0, vec![Finding::NoHead])) };
    let after = after.into_iter().filter(|position| *position > head.last_position).count() as u64;
    if before.saturating_add(after) > 0 {
        findings.push(Finding::Added(before.saturating_add(after)));
    }
    let outside = audit_event::Entity::outside().count(&app.db).await.doing(READING)?;
    // Where the head still says the same, none was cleared away meanwhile.
    let steady = chain::head(&app.db).await?.is_some_and(|later| later.outside == head.outside);
    if steady && i64::try_from(outside) != Ok(head.outside) {
        findings.push(Finding::Outside(outside, head.outside));
    }
    Ok((outside, findings))
}

/// What is left of a finding when all before `kept` was cleared away as it should be.
fn remaining(finding: Finding, kept: i64) -> Option<Finding> {
    match finding {
        Finding::Removed(_, last) if last < kept => None,
        Finding::Removed(first, last) => Some(Finding::Removed(first.max(kept), last)),
        other => Some(other),
    }
}

/// A walk along the chain.
struct Walk<'a> {
    trail: &'a Trail,
    /// The position that is looked at next.
    next: i64,
    /// The MAC of the event before that, where it is known.
    before: Option<Vec<u8>>,
    /// Where the chain ends.
    last: i64,
    /// The MAC of the event there.
    last_mac: &'a [u8],
    events: u64,
    findings: Vec<Finding>,
}

impl<'a> Walk<'a> {
    fn new(trail: &'a Trail, head: &'a audit_head::Model) -> Self {
        Self {
            trail,
            next: head.first_position,
            before: Some(head.first_mac.clone()),
            last: head.last_position,
            last_mac: &head.last_mac,
            events: 0,
            findings: Vec::new(),
        }
    }

    /// Checks an event; those after the end are another walk's.
    fn pass(&mut self, row: &Entry) {
        let Some(position) = row.position.filter(|at| (self.next..=self.last).contains(at)) else { return };
        self.skip_to(position);
        let mac = row.mac.as_deref().unwrap_or_default();
        // What follows an unknown event cannot be checked against it.
        if let Some(before) = &self.before
            && verify_slices_are_equal(&self.trail.link(before, row), mac).is_err()
        {
            self.note(Finding::Altered(position));
        }
        self.events = self.events.saturating_add(1);
        self.before = Some(mac.to_vec());
        self.next = position.saturating_add(1);
    }

    fn unreadable(&mut self, position: i64) {
        self.skip_to(position);
        self.note(Finding::Unreadable(position));
        self.before = None;
        self.next = position.saturating_add(1);
    }

    /// Goes on at `position`; what lies between is gone.
    fn skip_to(&mut self, position: i64) {
        if self.next < position {
            self.note(Finding::Removed(self.next, position.saturating_sub(1)));
            self.before = None;
            self.next = position;
        }
    }

    fn end(&mut self) {
        self.skip_to(self.last.saturating_add(1));
        if self.before.as_deref().is_some_and(|mac| verify_slices_are_equal(mac, self.last_mac).is_err()) {
            self.note(Finding::Altered(self.last));
        }
    }

    fn note(&mut self, finding: Finding) {
        if self.findings.len() < MOST_FINDINGS && self.findings.last() != Some(&finding) {
            self.findings.push(finding);
        }
    }
}
