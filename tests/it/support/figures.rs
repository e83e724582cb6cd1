//! The table of figures: what machines were made to do to the service, and what came of it.

use std::{env, fmt::Write as _, fs::OpenOptions, io::Write as _, time::Duration};

use super::database::engine;

/// A row of the table: one scenario on one database. What a scenario does not measure is left out.
#[derive(Default)]
pub(crate) struct Figures {
    /// The robustness check that it answers.
    pub(crate) id: &'static str,
    pub(crate) scenario: &'static str,
    pub(crate) rounds: usize,
    /// How many changes the service acknowledged.
    pub(crate) acknowledged: Option<usize>,
    /// How many of those were gone afterwards.
    pub(crate) lost: Option<usize>,
    /// How many changes were done in part.
    pub(crate) half_written: Option<usize>,
    /// How often somebody was let in who should not have been.
    pub(crate) wrongful: Option<usize>,
    /// The longest that a refusal took.
    pub(crate) worst_503: Option<Duration>,
    /// The longest until the service did its work again.
    pub(crate) recovery: Option<Duration>,
    /// Whatever else was measured.
    pub(crate) more: String,
}

impl Figures {
    /// Adds the row to the file that `TEST_FIGURES` names, where a suite wants a table.
    #[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting")]
    pub(crate) fn tell(&self) {
        if let Some(file) = env::var_os("TEST_FIGURES") {
            let mut file = OpenOptions::new().append(true).create(true).open(file).unwrap();
            file.write_all(self.row().as_bytes()).unwrap();
        }
    }

    /// In Markdown.
    fn row(&self) -> String {
        let mut row = format!("| {} | {} | {} | {} |", self.id, self.scenario, engine(), self.rounds);
        for count in [self.acknowledged, self.lost, self.half_written, self.wrongful] {
            let count = count.map_or_else(|| "–".to_owned(), |count| count.to_string());
            write!(row, " {count} |").unwrap();
        }
        for time in [self.worst_503, self.recovery] {
            let time = time.map_or_else(|| "–".to_owned(), |time| format!("{:.2} s", time.as_secs_f64()));
            write!(row, " {time} |").unwrap();
        }
        writeln!(row, " {} |", self.more).unwrap();
        row
    }
}
