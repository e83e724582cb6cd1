//! Controls the database server under the tests, for tests that stop, suspend or kill it. No other test may use it
//! then.

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Stdio},
    thread::{self, sleep},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::database::server_url;

/// How long the server may take to exit.
const TIMEOUT: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(20);

/// A database server. In the folder that `TEST_DATABASE_FOLDER` names, `server.pid` holds its process ID, and
/// `server.start` starts it again on the same port.
pub(crate) struct DatabaseServer {
    folder: PathBuf,
}

impl DatabaseServer {
    /// Returns the server, or `None` if the database is a file.
    #[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting")]
    pub(crate) fn find() -> Option<Self> {
        server_url()?;
        Some(Self { folder: env::var_os("TEST_DATABASE_FOLDER").expect("the suite says where its server is").into() })
    }

    /// Returns the server, for a test that runs only on database servers.
    pub(crate) fn get() -> Self {
        Self::find().expect("the database is a server")
    }

    /// Inserts lines at the beginning of a file of the server.
    pub(crate) fn prepend_to(&self, file: &str, lines: &str) {
        let file = self.folder.join(file);
        let rest = fs::read_to_string(&file).unwrap();
        fs::write(file, lines.to_owned() + &rest).unwrap();
    }

    fn main_process(&self) -> Pid {
        let text = fs::read_to_string(self.folder.join("server.pid")).unwrap();
        Pid::from_raw(text.trim().parse().unwrap()).unwrap()
    }

    /// Returns the server's main process and its children.
    fn processes(&self) -> Vec<Pid> {
        let main = self.main_process();
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", main.as_raw_pid()));
        let children = children.unwrap_or_default();
        let children = children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
        std::iter::once(main).chain(children).collect()
    }

    /// Returns whether the server is still running.
    pub(crate) fn is_running(&self) -> bool {
        is_process_running(self.main_process())
    }

    fn signal(&self, signal: Signal) {
        for process in self.processes() {
            // A child may have exited in the meantime.
            let _ = kill_process(process, signal);
        }
    }

    /// Suspends the server: connections stay open, and nothing responds.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Kills all of its processes.
    pub(crate) fn kill(&self) {
        let processes = self.processes();
        self.signal(Signal::KILL);
        let begun = Instant::now();
        while processes.iter().any(|process| is_process_running(*process)) {
            assert!(begun.elapsed() < TIMEOUT, "the database server does not exit");
            sleep(PAUSE);
        }
    }

    /// Starts the server again. It accepts connections a little later.
    pub(crate) fn start(&self) {
        let mut command = Command::new(self.folder.join("server.start"));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        fs::write(self.folder.join("server.pid"), child.id().to_string()).unwrap();
        // PostgreSQL refuses to start while a process with its old ID exists, even as a zombie.
        thread::spawn(move || child.wait());
    }
}

/// Returns whether a process is running. A zombie is not.
fn is_process_running(process: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", process.as_raw_pid())).unwrap_or_default();
    test_kill_process(process).is_ok() && !status.contains("State:\tZ")
}
