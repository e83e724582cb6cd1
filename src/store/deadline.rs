//! The time budget for database work.
//!
//! Every unit of work has a deadline. All units of one HTTP request together have the same budget, so that a request
//! with several units still ends in time if the database hangs.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use sea_orm::{DbErr, RuntimeErr};

tokio::task_local! {
    /// The time that the current request has spent on database work so far.
    static USED: Cell<Duration>;
}

/// Runs `request` with one time budget for all its database work.
pub async fn with_request_budget<F: Future>(request: F) -> F::Output {
    USED.scope(Cell::new(Duration::ZERO), request).await
}

/// Runs `work` until it ends or the budget, minus `reserve`, is exhausted. Outside a request, the budget covers only
/// this work.
///
/// # Errors
/// Returns [`DbErr::Conn`] if the budget is exhausted. A write may or may not have been committed then.
pub(super) async fn within_budget<T>(
    budget: Duration,
    reserve: Duration,
    work: impl Future<Output = T>,
) -> Result<T, DbErr> {
    // Fails outside a request, where no budget has been used.
    let used = USED.try_with(Cell::get).unwrap_or(Duration::ZERO);
    let remaining = budget.saturating_sub(used).saturating_sub(reserve);

    let started = Instant::now();
    let outcome = tokio::time::timeout(remaining, work).await;
    // Fails outside a request, where nothing is counted.
    let _ = USED.try_with(|used| used.set(used.get().saturating_add(started.elapsed())));

    outcome.map_err(|_| {
        let reason = format!("the database did not respond within {} ms", remaining.as_millis());
        DbErr::Conn(RuntimeErr::Internal(reason))
    })
}
