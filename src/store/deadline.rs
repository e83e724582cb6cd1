//! The time budget for database work.
//!
//! Every unit of work has a deadline. All units of one HTTP request together have the same budget, so that a request
//! with several units still ends in time when the database hangs.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use sea_orm::{DbErr, RuntimeErr};

tokio::task_local! {
    /// How long the current request has waited for the database so far.
    static USED: Cell<Duration>;
}

/// Runs `request` with one time budget for all its database work.
pub async fn with_request_budget<F: Future>(request: F) -> F::Output {
    USED.scope(Cell::new(Duration::ZERO), request).await
}

/// Runs `work` until it ends or the budget is used up, less `reserve`. Outside a request, `budget` is for this work
/// alone.
///
/// # Errors
/// [`DbErr::Conn`] if the budget is used up. A write may then have been done or not.
pub(super) async fn within_budget<T>(
    budget: Duration,
    reserve: Duration,
    work: impl Future<Output = T>,
) -> Result<T, DbErr> {
    // Outside a request nothing has been used.
    let used = USED.try_with(Cell::get).unwrap_or(Duration::ZERO);
    let remaining = budget.saturating_sub(used).saturating_sub(reserve);

    let started = Instant::now();
    let outcome = tokio::time::timeout(remaining, work).await;
    // Fails only outside a request, where there is nothing to count.
    let _ = USED.try_with(|used| used.set(used.get().saturating_add(started.elapsed())));

    outcome.map_err(|_| {
        let reason = format!("the database did not respond within {} ms", remaining.as_millis());
        DbErr::Conn(RuntimeErr::Internal(reason))
    })
}
