//! The service as operators run it: as one or several processes on one database.

use std::{
    env,
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{BufRead as _, BufReader, Read as _},
    net::{SocketAddr, TcpListener},
    ops::Deref,
    os::{fd::OwnedFd, unix::fs::PermissionsExt as _},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

use rustix::{
    process::Pid,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};
use sea_orm::DatabaseConnection;
use serde_json::json;
use tempfile::TempDir;

use super::{
    app::{Tokens, write_master_key},
    canary,
    client::{Call, TestResponse, http_client},
    database,
    settings::Settings,
};

/// Returns the binary: the one built with the tests, unless `TEST_BINARY` names another.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting")]
fn binary() -> OsString {
    env::var_os("TEST_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_vestibule").into())
}

/// Returns a command that runs the binary with test settings in its own folder.
pub(crate) fn vestibule(folder: &TempDir) -> Command {
    with_test_settings(Command::new(binary()), folder)
}

fn with_test_settings(mut command: Command, folder: &TempDir) -> Command {
    command.env_clear().current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.envs(Settings::for_tests().variables());
    command
}

/// Returns a command like [`vestibule`] whose server listens on every address, with the default cost of hashes.
pub(crate) fn public_vestibule(folder: &TempDir) -> Command {
    let mut command = vestibule(folder);
    command.env("VESTIBULE_SERVER__LISTEN", "0.0.0.0:0");
    for setting in ["WEAK_HASHING_FOR_TESTS", "HASH_MEMORY", "HASH_ITERATIONS"] {
        command.env_remove(format!("VESTIBULE_PASSWORDS__{setting}"));
    }
    command
}

/// Opens a pseudo-terminal. Returns the side that a test reads, and the side for the output of a command.
pub(crate) fn open_terminal() -> (File, OwnedFd) {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let name = ptsname(&controller, Vec::new()).unwrap();
    let terminal = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    (File::from(controller), OwnedFd::from(terminal))
}

/// The password of every user that is registered here.
pub(crate) const PASSWORD: &str = "my_password";

/// A client of the service at an address.
#[derive(Clone)]
pub(crate) struct ServiceClient {
    pub(crate) address: SocketAddr,
    client: reqwest::Client,
}

impl ServiceClient {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, client: http_client() }
    }

    /// Builds a request. Its response is checked against the OpenAPI document.
    pub(crate) fn call(&self, method: &str, path: &str) -> Call {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        Call::new(self.client.clone(), self.address, method, path)
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    pub(crate) async fn register(&self, name: &str) -> TestResponse {
        self.call("POST", "/register").json(&json!({ "username": name, "password": PASSWORD })).send().await
    }

    pub(crate) async fn log_in(&self, name: &str, password: &str) -> TestResponse {
        self.call("POST", "/login").json(&json!({ "username": name, "password": password })).send().await
    }

    /// Signs in a user who was registered here.
    pub(crate) async fn sign_in(&self, name: &str) -> Tokens {
        Tokens::of(&self.log_in(name, PASSWORD).await)
    }

    /// Registers a user and signs them in.
    pub(crate) async fn sign_up(&self, name: &str) -> Tokens {
        let response = self.register(name).await;
        assert_eq!(response.status, 201, "{response:?}");
        self.sign_in(name).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> TestResponse {
        self.call("POST", "/token/refresh").json(&json!({ "refresh_token": token })).send().await
    }

    /// Returns whether the service accepts the access token.
    pub(crate) async fn accepts(&self, tokens: &Tokens) -> bool {
        self.get("/me").bearer(&tokens.access).send().await.status == 200
    }
}

/// Returns a port of this host that is not in use.
pub(crate) fn unused_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A running server.
pub(crate) struct Server {
    pub(crate) welcome: String,
    child: Child,
    output: BufReader<ChildStdout>,
    client: ServiceClient,
}

impl Server {
    /// Starts a server and waits until it listens.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut welcome = String::new();
        while !welcome.contains("first user") {
            assert!(output.read_line(&mut welcome).unwrap() > 0, "the server exited: {welcome}");
        }
        let line = welcome.lines().find(|line| line.contains("listens on")).unwrap();
        let address = line.split_whitespace().last().unwrap().parse().unwrap();
        Self { welcome, child, output, client: ServiceClient::new(address) }
    }

    pub(crate) fn address(&self) -> String {
        self.client.address.to_string()
    }

    /// Returns a client that may outlive the server.
    pub(crate) fn client(&self) -> ServiceClient {
        self.client.clone()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Kills the server.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops the server with SIGTERM. Returns what it printed after the last line of its welcome message.
    pub(crate) fn stop(mut self) -> String {
        rustix::process::kill_process(self.pid(), rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        rest
    }
}

/// A server can be used as its own client.
impl Deref for Server {
    type Target = ServiceClient;

    fn deref(&self) -> &ServiceClient {
        &self.client
    }
}

impl Drop for Server {
    /// Stops the server of a test that fails before it does so itself.
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A database for several instances.
pub(crate) struct Deployment {
    pub(crate) url: String,
    folder: TempDir,
    started: AtomicUsize,
    port: u16,
}

impl Deployment {
    /// Creates a deployment with an empty database.
    pub(crate) async fn new() -> Self {
        Self::in_folder(TempDir::new().unwrap()).await
    }

    /// Creates a deployment that keeps all its files on a volume.
    pub(crate) async fn new_in(volume: &Path) -> Self {
        Self::in_folder(TempDir::new_in(volume).unwrap()).await
    }

    async fn in_folder(folder: TempDir) -> Self {
        write_master_key(&folder);
        Self { url: database::create_empty(&folder).await, folder, started: AtomicUsize::new(0), port: 0 }
    }

    /// Makes its servers listen on one port, one after the other.
    pub(crate) fn with_fixed_port(mut self) -> Self {
        self.port = unused_port();
        self
    }

    /// Returns a command that runs the binary on this database. It logs to a file.
    pub(crate) fn command(&self) -> Command {
        self.with_database(vestibule(&self.folder))
    }

    /// Returns a command that runs the binary under another program, which gets the binary's path as its last argument.
    pub(crate) fn command_under(&self, program: &[&str]) -> Command {
        let mut command = Command::new(program[0]);
        command.args(&program[1..]).arg(binary());
        self.with_database(with_test_settings(command, &self.folder))
    }

    /// Runs a start that must fail, under another program as in [`Self::command_under`], and returns its exit code. The
    /// code is 124 if the server starts after all.
    pub(crate) fn failed_start_exit_code(&self, program: &[&str]) -> Option<i32> {
        self.command_under(&[&["timeout", "20"], program].concat()).status().unwrap().code()
    }

    fn with_database(&self, mut command: Command) -> Command {
        let log = format!("{}.log", self.started.fetch_add(1, Ordering::Relaxed));
        command
            .env("VESTIBULE_SERVER__LISTEN", format!("127.0.0.1:{}", self.port))
            .env("VESTIBULE_DATABASE__URL", &self.url)
            .env("VESTIBULE_KEYS__MASTER_KEY_FILE", "vestibule.key")
            .env("VESTIBULE_PASSWORDS__QUEUE_LENGTH", "1000")
            .env("VESTIBULE_PASSWORDS__QUEUE_TIMEOUT", "30s")
            .stderr(File::create(self.folder.path().join(log)).unwrap());
        canary::log_everything(&mut command);
        command
    }

    /// Returns a client for its fixed port.
    pub(crate) fn client(&self) -> ServiceClient {
        assert_ne!(self.port, 0, "its servers listen on one port");
        ServiceClient::new(([127, 0, 0, 1], self.port).into())
    }

    /// Starts several servers at the same moment.
    pub(crate) fn start_servers<const N: usize>(&self) -> [Server; N] {
        let starting = [(); N].map(|()| {
            let command = self.command();
            std::thread::spawn(|| Server::start(command))
        });
        starting.map(|server| server.join().unwrap_or_else(|_| panic!("a server exited: {}", self.logs())))
    }

    /// Connects to the database.
    pub(crate) async fn connect(&self) -> DatabaseConnection {
        let db = vestibule::store::connect(&self.url.clone().into(), 1).await.unwrap();
        if let Some(file) = self.url.strip_prefix("sqlite://") {
            // The service creates it with these permissions.
            fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
        }
        db
    }

    /// Returns the master key as stored in its file.
    pub(crate) fn master_key(&self) -> String {
        fs::read_to_string(self.folder.path().join("vestibule.key")).unwrap().trim().to_owned()
    }

    /// Runs `work` while the master key file has other content.
    pub(crate) fn with_master_key(&self, text: &[u8], work: impl FnOnce()) {
        let file = self.folder.path().join("vestibule.key");
        let whole = fs::read(&file).unwrap();
        fs::write(&file, text).unwrap();
        work();
        fs::write(&file, whole).unwrap();
    }

    /// Returns the logs of all processes.
    pub(crate) fn logs(&self) -> String {
        let numbers = 0..self.started.load(Ordering::Relaxed);
        numbers.map(|number| fs::read_to_string(self.folder.path().join(format!("{number}.log"))).unwrap()).collect()
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        if canary::is_on() {
            canary::search_logs(self.folder.path());
            canary::block_on(canary::search_audit_log_at(&self.url));
        }
    }
}
