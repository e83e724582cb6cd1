//! Whose clock counts: the database's, so that the clocks of the instances' hosts need not agree; the host's own where the
//! database is SQLite, which has none.
//!
//! When that clock is set, dates follow, and moments go on as if nothing had happened. How far the two have come apart
//! is a row, so that all instances agree on moments as well, those included that start later.

use std::{
    fmt,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use sea_orm::{ActiveValue::Set, EntityTrait as _};

use super::{
    App, database,
    fault::{Doing as _, Fault, is_unique_violation},
    pool::Pool,
    transaction::write,
};
use crate::{
    clock::{Clock, TOLERANCE},
    entity::{ONLY, clock},
};

/// How long a look may take; a longer one tells the time too roughly.
const LONGEST_LOOK: Duration = Duration::from_millis(500);
/// After how many looks that met nothing new an instance can tell that the clock was not set.
const QUIET: u32 = 3;
/// How far moments and dates may come apart: beyond it the clock has been absurd, and moments follow too.
const FARTHEST: Duration = Duration::from_hours(24);

/// By how much a clock was found to be ahead: microseconds, negative when it was behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference(i64);

impl Difference {
    /// In whole seconds.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0 / 1_000_000
    }

    /// Whether clocks that agree can differ that much.
    fn is_tolerable(self) -> bool {
        self.is_within(TOLERANCE)
    }

    fn is_within(self, bound: Duration) -> bool {
        Duration::from_micros(self.0.unsigned_abs()) <= bound
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = Duration::from_micros(self.0.unsigned_abs()).as_secs_f64();
        write!(f, "{span:.1} s {}", if self.0 < 0 { "back" } else { "forward" })
    }
}

/// What an instance remembers of its looks.
#[derive(Debug, Default)]
pub struct Watch {
    /// How many in a row have met nothing new.
    quiet: AtomicU32,
}

impl Watch {
    /// Whether the instance would have seen that the clock was set.
    fn is_sure(&self) -> bool {
        self.quiet.load(Ordering::SeqCst) >= QUIET
    }

    fn note(&self, quiet: bool) {
        if quiet {
            self.quiet.fetch_add(1, Ordering::SeqCst);
        } else {
            self.quiet.store(0, Ordering::SeqCst);
        }
    }
}

/// One look at the clock that counts.
struct Look {
    /// How far it is ahead of ours.
    difference: Difference,
    /// Within what time that was found out; half of it may be wrong.
    took: Duration,
}

/// Sets the clock for the first time. Says so when the host's is wrong.
///
/// # Errors
/// The database's.
pub async fn begin(db: &Pool, clock: &Clock) -> Result<(), Fault> {
    let ahead = stored(db).await?;
    let Look { difference, .. } = look_at(db, clock).await?;
    clock.follow(difference.0, ahead);
    let wrong = Difference(clock.now().micros_after(clock.wall()));
    if !wrong.is_tolerable() {
        tracing::warn!(
            "this host's clock would have to be set {wrong} to agree with the database's, which counts; set the \
             one right that is wrong"
        );
    }
    Ok(())
}

/// Sets the clock again, as is to be done every few seconds. Answers by how much the clock that counts has been set
/// itself meanwhile, if it has.
///
/// # Errors
/// The database's; then the clock runs on by itself.
pub async fn look(app: &App) -> Result<Option<Difference>, Fault> {
    let clock = &app.clock;
    // First, so that no look meets what another instance wrote when the clock was set, and the clock as it was before.
    let ahead = stored(&app.db).await?;
    let Look { difference, took } = look_at(&app.db, clock).await?;
    if took > LONGEST_LOOK {
        return Ok(None);
    }
    let own = clock.ahead();
    let was_set = !difference.is_tolerable();
    let agreed = if was_set && ahead == own {
        let apart = Difference(own.saturating_sub(difference.0));
        let apart = if apart.is_within(FARTHEST) { apart.0 } else { 0 };
        store(app, own, apart).await?;
        apart
    } else if !was_set && ahead != own && app.watch.is_sure() {
        // Whoever saw the clock being set stood still itself, for the clock went on evenly.
        store(app, ahead, own).await?;
        own
    } else {
        // Nothing has happened, or another instance has seen to it.
        ahead
    };
    clock.follow(difference.0, agreed);
    app.watch.note(!was_set && ahead == own);
    Ok(was_set.then_some(difference))
}

async fn look_at(db: &Pool, clock: &Clock) -> Result<Look, Fault> {
    let before = clock.now();
    // A frozen clock has no other one beside it than its host's.
    let told = if clock.is_frozen() { Ok(None) } else { database::time(db).await };
    let told = told.doing("asking the database for the time")?.unwrap_or_else(|| clock.wall());
    let took = clock.now().micros_after(before);
    Ok(Look {
        difference: Difference(told.micros_after(before).saturating_sub(took / 2)),
        took: Duration::from_micros(took.unsigned_abs()),
    })
}

/// How far moments are ahead of dates, as instances have agreed.
async fn stored(db: &Pool) -> Result<i64, Fault> {
    let row = clock::Entity::only().one(db).await.doing("reading how far moments are ahead")?;
    Ok(row.map_or(0, |row| row.ahead))
}

/// Stores how far moments are ahead now, unless another instance was faster; the next look goes by the row.
async fn store(app: &App, old: i64, new: i64) -> Result<(), Fault> {
    let doing = "storing how far moments are ahead";
    write(&app.db, doing, |transaction| async move {
        if clock::Entity::only().one(&*transaction).await.doing(doing)?.is_some() {
            return clock::Entity::replace(old, new).exec(&*transaction).await.doing(doing).map(drop);
        }
        let first = clock::ActiveModel { id: Set(ONLY), ahead: Set(new) };
        match clock::Entity::insert(first).exec_without_returning(&*transaction).await {
            Err(error) if is_unique_violation(&error) => Ok(()),
            other => other.doing(doing).map(drop),
        }
    })
    .await
}
