//! The table of results of the robustness tests.

use std::{env, fmt::Write as _, fs::OpenOptions, io::Write as _, time::Duration};

use super::database::engine;

/// A row of the table: one scenario on one database. What a scenario does not measure stays empty.
#[derive(Default)]
pub(crate) struct ResultRow {
    /// The ID of the robustness check.
    pub(crate) id: &'static str,
    pub(crate) scenario: &'static str,
    pub(crate) rounds: usize,
    /// The number of changes that the service acknowledged.
    pub(crate) acknowledged: Option<usize>,
    /// The number of acknowledged changes that were lost.
    pub(crate) lost: Option<usize>,
    /// The number of changes that were written only in part.
    pub(crate) half_written: Option<usize>,
    /// How often the service accepted something that it should have rejected.
    pub(crate) wrongly_accepted: Option<usize>,
    /// The longest time until a request was rejected.
    pub(crate) worst_503: Option<Duration>,
    /// The longest time until the service recovered.
    pub(crate) recovery: Option<Duration>,
    /// Anything else that was measured.
    pub(crate) notes: String,
}

impl ResultRow {
    /// Appends the row to the file that `TEST_FIGURES` names, if it is set.
    #[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting")]
    pub(crate) fn write(&self) {
        if let Some(file) = env::var_os("TEST_FIGURES") {
            let mut file = OpenOptions::new().append(true).create(true).open(file).unwrap();
            file.write_all(self.row().as_bytes()).unwrap();
        }
    }

    /// Formats the row as Markdown.
    fn row(&self) -> String {
        let mut row = format!("| {} | {} | {} | {} |", self.id, self.scenario, engine(), self.rounds);
        for count in [self.acknowledged, self.lost, self.half_written, self.wrongly_accepted] {
            let count = count.map_or_else(|| "–".to_owned(), |count| count.to_string());
            write!(row, " {count} |").unwrap();
        }
        for time in [self.worst_503, self.recovery] {
            let time = time.map_or_else(|| "–".to_owned(), |time| format!("{:.2} s", time.as_secs_f64()));
            write!(row, " {time} |").unwrap();
        }
        writeln!(row, " {} |", self.notes).unwrap();
        row
    }
}
