//! Resource usage of a process, from Linux's /proc (proc(5)).

use std::{fs, time::Duration};

use rustix::process::Pid;

/// The unit in which CPU time is counted.
const TICK: Duration = Duration::from_millis(10);

/// A process to measure.
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

    /// Returns its resident memory in KiB.
    pub(crate) fn memory(self) -> u32 {
        self.kib("VmRSS")
    }

    /// Returns its peak resident memory in KiB, since the last reset if there was one.
    pub(crate) fn peak_memory(self) -> u32 {
        self.kib("VmHWM")
    }

    /// Resets the peak.
    pub(crate) fn reset_peak(self) {
        fs::write(format!("/proc/{}/clear_refs", self.0), "5").unwrap();
    }

    /// Returns the number of its open files and connections.
    pub(crate) fn open_files(self) -> u32 {
        u32::try_from(fs::read_dir(format!("/proc/{}/fd", self.0)).unwrap().count()).unwrap()
    }

    /// Returns the CPU time that it has used.
    pub(crate) fn cpu_time(self) -> Duration {
        let stat = self.read("stat");
        let fields: Vec<_> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        TICK * fields[11..13].iter().map(|ticks| ticks.parse::<u32>().unwrap()).sum::<u32>()
    }

    /// Returns the CPU time that it has used since `before`.
    pub(crate) fn cpu_time_since(self, before: Duration) -> Duration {
        self.cpu_time().saturating_sub(before)
    }
}
