//! What a process takes of the machine, as Linux tells (proc(5)).

use std::{fs, time::Duration};

use rustix::process::Pid;

/// A tick of the clock in which processor time is counted.
const TICK: Duration = Duration::from_millis(10);

/// A process that is looked at.
#[derive(Clone, Copy)]
pub(crate) struct Usage(Pid);

impl Usage {
    pub(crate) fn of(process: Pid) -> Self {
        Self(process)
    }

    fn read(self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.0)).unwrap()
    }

    fn kib(self, name: &str) -> u32 {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The KiB of memory that it has.
    pub(crate) fn memory(self) -> u32 {
        self.kib("VmRSS")
    }

    /// The most that it has had, of late if that was asked for.
    pub(crate) fn peak_memory(self) -> u32 {
        self.kib("VmHWM")
    }

    /// Lets the peak begin anew.
    pub(crate) fn forget_peak(self) {
        fs::write(format!("/proc/{}/clear_refs", self.0), "5").unwrap();
    }

    /// How many files and connections it has open.
    pub(crate) fn files(self) -> u32 {
        u32::try_from(fs::read_dir(format!("/proc/{}/fd", self.0)).unwrap().count()).unwrap()
    }

    /// For how long processors have worked for it.
    pub(crate) fn worked(self) -> Duration {
        let stat = self.read("stat");
        let fields: Vec<_> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        TICK * fields[11..13].iter().map(|ticks| ticks.parse::<u32>().unwrap()).sum::<u32>()
    }

    /// For how long they have since it was so much.
    pub(crate) fn worked_since(self, before: Duration) -> Duration {
        self.worked().saturating_sub(before)
    }
}
