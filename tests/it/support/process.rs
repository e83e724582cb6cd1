//! The service as its operators run it: processes, one or several over one database.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    process::{Child, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

use rustix::process::Pid;
use sea_orm::DatabaseConnection;
use tempfile::TempDir;

use super::{app::write_key, client::Call, database};

/// The binary, with settings for tests, in a folder of its own.
pub(crate) fn vestibule(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
    command.env_clear().current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
        .env("VESTIBULE_SERVER__LISTEN", "127.0.0.1:0")
        .env("VESTIBULE_SERVER__SHUTDOWN_DELAY", "0")
        .env("VESTIBULE_PASSWORDS__WEAK_HASHING_FOR_TESTS", "true")
        .env("VESTIBULE_PASSWORDS__MEMORY_KIB", "64")
        .env("VESTIBULE_PASSWORDS__ITERATIONS", "1");
    for limit in [
        "LOGIN_BURST",
        "LOGINS_PER_MINUTE",
        "REGISTRATIONS_PER_HOUR",
        "REFUSED_REFRESHES_PER_MINUTE",
        "REFRESHES_PER_MINUTE",
        "FREE_FAILURES",
        "SUSPEND_AFTER",
    ] {
        command.env(format!("VESTIBULE_THROTTLE__{limit}"), "1000000");
    }
    command
}

/// A GET of whatever listens at `address`.
pub(crate) fn get(address: SocketAddr, path: &str) -> Call {
    Call::new(reqwest::Client::new(), address, reqwest::Method::GET, path)
}

/// A running server.
pub(crate) struct Server {
    pub(crate) welcome: String,
    child: Child,
    output: BufReader<ChildStdout>,
    client: reqwest::Client,
}

impl Server {
    /// Waits until it listens.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut welcome = String::new();
        while !welcome.contains("first user") {
            assert!(output.read_line(&mut welcome).unwrap() > 0, "the server ended: {welcome}");
        }
        Self { welcome, child, output, client: reqwest::Client::new() }
    }

    pub(crate) fn address(&self) -> String {
        let line = self.welcome.lines().find(|line| line.contains("listens on")).unwrap();
        line.split_whitespace().last().unwrap().to_owned()
    }

    /// A request, whose answer is held against the document.
    pub(crate) fn call(&self, method: &str, path: &str) -> Call {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        Call::new(self.client.clone(), self.address().parse().unwrap(), method, path)
    }

    pub(crate) fn id(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Ends it at once, without asking.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops it by SIGTERM; what it printed after the welcome's last usual line.
    pub(crate) fn stop(mut self) -> String {
        rustix::process::kill_process(self.id(), rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        rest
    }
}

impl Drop for Server {
    /// A test that fails before it stops its server must not leave it running.
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A database of its own, for several instances.
pub(crate) struct Deployment {
    pub(crate) url: String,
    folder: TempDir,
    started: AtomicUsize,
}

impl Deployment {
    /// One whose database is still empty.
    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        write_key(&folder);
        Self { url: database::create_empty(&folder).await, folder, started: AtomicUsize::new(0) }
    }

    /// The binary over this database, which logs to a file.
    pub(crate) fn command(&self) -> Command {
        let log = format!("{}.log", self.started.fetch_add(1, Ordering::Relaxed));
        let mut command = vestibule(&self.folder);
        command
            .env("VESTIBULE_DATABASE__URL", &self.url)
            .env("VESTIBULE_KEYS__MASTER_KEY_FILE", "vestibule.key")
            .env("VESTIBULE_PASSWORDS__QUEUE_LENGTH", "1000")
            .env("VESTIBULE_PASSWORDS__QUEUE_WAIT_MS", "30000")
            .stderr(File::create(self.folder.path().join(log)).unwrap());
        command
    }

    /// Several servers, started at the same moment.
    pub(crate) fn servers<const N: usize>(&self) -> [Server; N] {
        let starting = [(); N].map(|()| {
            let command = self.command();
            std::thread::spawn(|| Server::start(command))
        });
        starting.map(|server| server.join().unwrap())
    }

    /// A look at the rows.
    pub(crate) async fn rows(&self) -> DatabaseConnection {
        let rows = vestibule::domain::database::connect(&self.url.clone().into(), 1).await.unwrap();
        if let Some(file) = self.url.strip_prefix("sqlite://") {
            // As the service makes it.
            fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
        }
        rows
    }

    /// The master key, as its file has it.
    pub(crate) fn master_key(&self) -> String {
        fs::read_to_string(self.folder.path().join("vestibule.key")).unwrap().trim().to_owned()
    }

    /// What all processes have logged.
    pub(crate) fn logs(&self) -> String {
        let numbers = 0..self.started.load(Ordering::Relaxed);
        numbers.map(|number| fs::read_to_string(self.folder.path().join(format!("{number}.log"))).unwrap()).collect()
    }
}
