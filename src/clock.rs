//! The clock: the only code that reads the operating system's time.
//!
//! The reference clock is the database's clock, or the host's clock on SQLite. [`Clock`] runs on the host's monotonic
//! clock, so a change of the host's clock has no effect on it. It is set to the reference clock every few seconds.

use std::{
    fmt,
    ops::{Add, Sub},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::time::{ClockId, Timespec, clock_gettime};
use sea_orm::DeriveValueType;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// How far two clocks may differ and still count as equal. A larger difference is a step.
pub const TOLERANCE: Duration = Duration::from_secs(5);

/// The monotonic clock. On Linux, it includes the time for which the host was suspended.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MONOTONIC: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const MONOTONIC: ClockId = ClockId::Monotonic;

/// 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z, in seconds since the epoch.
const FIRST_RFC3339_SECOND: i64 = -62_167_219_200;
const LAST_RFC3339_SECOND: i64 = 253_402_300_799;

/// The value of `last_step` before the first step.
const NEVER: i64 = i64::MIN;

/// An instant: whole microseconds since 1970-01-01T00:00:00Z.
///
/// Stored as a 64-bit integer on every database, because MySQL's own timestamps are rounded and end in 2038.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, DeriveValueType)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Returns the instant `micros` microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Returns whole microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Returns whole seconds since the epoch, rounded down: a `NumericDate` (RFC 7519).
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Returns the time since `earlier`, or zero if `earlier` is later than this instant.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at the last instant that can be represented.
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(micros(span)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at the first instant that can be represented.
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(micros(span)))
    }
}

impl fmt::Display for Timestamp {
    /// Writes RFC 3339 in UTC, with whole seconds. An instant that RFC 3339 cannot express becomes the nearest one that
    /// it can, in the year 0 or 9999.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds().clamp(FIRST_RFC3339_SECOND, LAST_RFC3339_SECOND);
        let text = OffsetDateTime::from_unix_timestamp(seconds)
            .ok()
            .and_then(|instant| instant.format(&Rfc3339).ok())
            .ok_or(fmt::Error)?;
        f.write_str(&text)
    }
}

/// How far one clock is ahead of another, in microseconds. Negative if it is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOffset(i64);

impl ClockOffset {
    /// Returns how far a clock that shows `shown` is ahead of a clock that shows `other`.
    pub const fn between(shown: Timestamp, other: Timestamp) -> Self {
        Self(shown.0.saturating_sub(other.0))
    }

    /// Returns the offset in whole seconds, rounded towards zero.
    pub const fn seconds(self) -> i64 {
        self.0 / 1_000_000
    }

    /// Returns the size of the offset, without its direction.
    pub const fn abs(self) -> Duration {
        Duration::from_micros(self.0.unsigned_abs())
    }

    /// Returns whether the offset exceeds [`TOLERANCE`].
    pub fn is_step(self) -> bool {
        self.abs() > TOLERANCE
    }
}

impl fmt::Display for ClockOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.0 < 0 { "back" } else { "forward" };
        write!(f, "{:.1} s {direction}", self.abs().as_secs_f64())
    }
}

/// The clock of the service. Clones share one clock.
///
/// [`Clock::adjust`] sets it to the reference clock. In between, it runs by itself.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    /// The time of this clock when the monotonic clock shows zero.
    offset: AtomicI64,
    /// When a step of the reference clock was last detected, on the monotonic clock.
    last_step: AtomicI64,
}

/// The source of the time.
#[derive(Debug)]
enum Source {
    /// The host's clocks.
    Host,
    /// Two clocks that a test moves.
    Manual { monotonic: AtomicI64, wall: AtomicI64 },
}

impl Clock {
    /// Returns a clock that shows the host's time until it is adjusted.
    pub fn system() -> Self {
        let offset = host_wall().saturating_sub(host_monotonic());
        Self::new(Source::Host, offset)
    }

    /// Returns a clock that stands still at `start`, on a host whose clock shows the same time. Tests move both.
    pub fn frozen(start: Timestamp) -> Self {
        let source = Source::Manual { monotonic: AtomicI64::new(0), wall: start.0.into() };
        Self::new(source, start.0)
    }

    fn new(source: Source, offset: i64) -> Self {
        Self(Arc::new(Inner { source, offset: offset.into(), last_step: NEVER.into() }))
    }

    /// Returns the current time.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.monotonic().saturating_add(self.0.offset.load(Ordering::SeqCst)))
    }

    /// Returns the time of the host's own clock.
    pub fn host_time(&self) -> Timestamp {
        Timestamp(match &self.0.source {
            Source::Host => host_wall(),
            Source::Manual { wall, .. } => wall.load(Ordering::SeqCst),
        })
    }

    /// Returns whether a test moves this clock. Its reference clock is then always the host's.
    pub fn is_frozen(&self) -> bool {
        matches!(self.0.source, Source::Manual { .. })
    }

    /// Moves the clock by `offset`, which is how far the reference clock is ahead of it.
    pub fn adjust(&self, offset: ClockOffset) {
        self.0.offset.fetch_add(offset.0, Ordering::SeqCst);
    }

    /// Records that a step of the reference clock was just detected.
    pub fn record_step(&self) {
        self.0.last_step.store(self.monotonic(), Ordering::SeqCst);
    }

    /// Returns whether the clock stepped within the last `span`. The age of older timestamps is then unknown.
    pub fn has_stepped_within(&self, span: Duration) -> bool {
        let last_step = self.0.last_step.load(Ordering::SeqCst);
        last_step != NEVER && self.monotonic().saturating_sub(last_step) <= micros(span)
    }

    /// Lets time pass on a frozen clock. Has no effect on other clocks.
    pub fn advance(&self, span: Duration) {
        if let Source::Manual { monotonic, wall } = &self.0.source {
            monotonic.fetch_add(micros(span), Ordering::SeqCst);
            wall.fetch_add(micros(span), Ordering::SeqCst);
        }
    }

    /// Sets the host's clock of a frozen clock forward. Has no effect on other clocks.
    pub fn step_host_forward(&self, span: Duration) {
        self.step_host(micros(span));
    }

    /// Sets the host's clock of a frozen clock back. Has no effect on other clocks.
    pub fn step_host_back(&self, span: Duration) {
        self.step_host(micros(span).saturating_neg());
    }

    fn step_host(&self, by: i64) {
        if let Source::Manual { wall, .. } = &self.0.source {
            wall.fetch_add(by, Ordering::SeqCst);
        }
    }

    fn monotonic(&self) -> i64 {
        match &self.0.source {
            Source::Host => host_monotonic(),
            Source::Manual { monotonic, .. } => monotonic.load(Ordering::SeqCst),
        }
    }
}

/// Returns a span in microseconds, or the largest number if it is longer.
fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// Reads the host's monotonic clock, in microseconds.
fn host_monotonic() -> i64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(MONOTONIC);
    tv_sec.saturating_mul(1_000_000).saturating_add(tv_nsec / 1_000)
}

/// Reads the host's wall clock, in microseconds since the epoch. A clock before 1970 reads as zero.
#[expect(clippy::disallowed_methods, reason = "the only reader of the operating system's clock")]
fn host_wall() -> i64 {
    micros(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
