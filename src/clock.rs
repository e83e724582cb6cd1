//! The clock: the only place that reads the time of the operating system.
//!
//! It tells two things. A date is what people and other services are told, and it follows when the clock that counts is
//! set. A moment is what lifetimes, waits and graces are measured by, and a clock that is set does not move it. They are
//! two types, so that nothing compares one with the other.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::time::{ClockId, Timespec, clock_gettime};
use sea_orm::DeriveValueType;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// How far apart clocks may be that are said to agree.
pub const TOLERANCE: Duration = Duration::from_secs(5);

/// Runs on whatever is done to the clock on the wall; where the system has one that counts the time asleep, that one.
#[cfg(any(target_os = "linux", target_os = "android"))]
const RUNNING: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const RUNNING: ClockId = ClockId::Monotonic;

/// A date and time in UTC: whole microseconds since 1970-01-01T00:00:00Z.
///
/// Stored as a 64-bit integer on every database, because MySQL's own timestamps round and end in 2038.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, DeriveValueType)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `micros` microseconds after the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Whole seconds since the epoch, rounded down: RFC 7519's `NumericDate`.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The date this much earlier.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(micros(span)))
    }

    /// Whole microseconds since the epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// How many microseconds this is after `other`; negative when it is before.
    #[must_use]
    pub const fn micros_after(self, other: Self) -> i64 {
        self.0.saturating_sub(other.0)
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at the last instant that can be written.
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(micros(span)))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with whole seconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = OffsetDateTime::from_unix_timestamp(self.seconds())
            .ok()
            .and_then(|instant| instant.format(&Rfc3339).ok())
            .ok_or(fmt::Error)?;
        f.write_str(&text)
    }
}

/// A moment: whole microseconds, counted from about 1970 on. It means something beside other moments alone.
///
/// Stored as dates are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, DeriveValueType)]
pub struct Moment(i64);

impl Moment {
    /// The moment this many milliseconds after the first.
    #[must_use]
    pub fn from_millis(millis: u64) -> Self {
        Self(i64::try_from(millis).unwrap_or(i64::MAX).saturating_mul(1_000))
    }

    /// Whole milliseconds, rounded down; zero for what cannot be.
    #[must_use]
    pub fn millis(self) -> u64 {
        u64::try_from(self.0.div_euclid(1_000)).unwrap_or(0)
    }

    /// The moment this much earlier.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(micros(span)))
    }

    /// How much time has passed since `earlier`; none when that is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl std::ops::Add<Duration> for Moment {
    type Output = Self;

    /// Saturates at the last moment that can be written.
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(micros(span)))
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// What a clock tells, read at once.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// For whom it may concern.
    pub date: Timestamp,
    /// For the rules.
    pub moment: Moment,
}

/// Tells the time. It is set when somebody looks at the clock that counts, and runs by itself in between, so that what is
/// done to the host's clock makes no difference at once. One that is frozen is moved by tests alone. Clones share it.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Hands>);

#[derive(Debug)]
struct Hands {
    /// What date and moment were when what runs was at zero.
    date: AtomicI64,
    moment: AtomicI64,
    /// Of a frozen clock, for which nothing runs: the host's clock, which a test can set.
    frozen: Option<AtomicI64>,
}

impl Clock {
    /// A clock that runs, and goes by the host's until it is set.
    #[must_use]
    pub fn system() -> Self {
        let start = wall().saturating_sub(running());
        Self(Arc::new(Hands { date: start.into(), moment: start.into(), frozen: None }))
    }

    /// A clock that stands at `start`, on a host whose clock does.
    #[must_use]
    pub fn frozen(start: Timestamp) -> Self {
        Self(Arc::new(Hands { date: start.0.into(), moment: start.0.into(), frozen: Some(start.0.into()) }))
    }

    /// Whether it is frozen; then no other clock counts but that of its host.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.0.frozen.is_some()
    }

    /// The current date.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp(self.0.date.load(Ordering::SeqCst).saturating_add(self.running()))
    }

    /// The current moment.
    #[must_use]
    pub fn steady(&self) -> Moment {
        Moment(self.0.moment.load(Ordering::SeqCst).saturating_add(self.running()))
    }

    /// Both.
    #[must_use]
    pub fn read(&self) -> Reading {
        Reading { date: self.now(), moment: self.steady() }
    }

    /// What the host's clock shows.
    #[must_use]
    pub fn wall(&self) -> Timestamp {
        Timestamp(self.0.frozen.as_ref().map_or_else(wall, |wall| wall.load(Ordering::SeqCst)))
    }

    /// How many microseconds moments are ahead of dates: none until a clock that counts is set.
    #[must_use]
    pub fn ahead(&self) -> i64 {
        self.0.moment.load(Ordering::SeqCst).saturating_sub(self.0.date.load(Ordering::SeqCst))
    }

    /// Moves dates by so many microseconds, and moments so that they are so many ahead. For one caller at a time.
    pub fn follow(&self, by: i64, ahead: i64) {
        let moments = ahead.saturating_sub(self.ahead()).saturating_add(by);
        self.0.date.fetch_add(by, Ordering::SeqCst);
        self.0.moment.fetch_add(moments, Ordering::SeqCst);
    }

    /// Lets time pass on a frozen clock; another takes no notice.
    pub fn advance(&self, span: Duration) {
        if let Some(wall) = &self.0.frozen {
            for hand in [&self.0.date, &self.0.moment, wall] {
                hand.fetch_add(micros(span), Ordering::SeqCst);
            }
        }
    }

    /// Sets the clock of a frozen clock's host forward; another takes no notice.
    pub fn step_forward(&self, span: Duration) {
        self.step(micros(span));
    }

    /// Sets it back.
    pub fn step_back(&self, span: Duration) {
        self.step(micros(span).saturating_neg());
    }

    fn step(&self, by: i64) {
        if let Some(wall) = &self.0.frozen {
            wall.fetch_add(by, Ordering::SeqCst);
        }
    }

    fn running(&self) -> i64 {
        if self.is_frozen() { 0 } else { running() }
    }
}

/// What runs, in microseconds.
fn running() -> i64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(RUNNING);
    tv_sec.saturating_mul(1_000_000).saturating_add(tv_nsec / 1_000)
}

/// The host's clock, in microseconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "the one reader of the operating system's clock")]
fn wall() -> i64 {
    micros(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
