//! A running service with its own database.

use std::{
    fmt::Display,
    fs,
    net::{IpAddr, SocketAddr},
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use poem::{Endpoint, EndpointExt as _, Request, Response, endpoint::BoxEndpoint};
use sea_orm::{ActiveEnum as _, ConnectionTrait, DatabaseBackend, EntityTrait as _};
use serde_json::json;
use tempfile::TempDir;
use vestibule::{
    clock::{Clock, ClockOffset, Timestamp},
    config::Config,
    domain::{
        app::App,
        audit::{Actor, Kind},
        auth::login::{LoginAttempt, login},
        instance::Instance,
        name::Name,
        request::Client,
        user::{User, create_user},
    },
    entity::audit_event,
    ids::RequestId,
    jobs::sync_clock,
    secret::{MasterKey, Password},
    server::{self, DeadlineSettings, Shutdown, Tls},
    startup::{self, http},
};

use super::{
    canary,
    client::{Call, TestResponse, http_client},
    database, document,
    settings::Settings,
};

/// The initial time of every test's clock: 2030-03-17T17:46:40Z.
const START: Timestamp = Timestamp::from_micros(1_900_000_000_000_000);
/// The message of the panics that tests cause on purpose.
const INJECTED_PANIC: &str = "injected by the harness";

/// Hides the panics that tests cause on purpose from the output.
pub(crate) fn hide_injected_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str() != Some(INJECTED_PANIC) {
            usual(panic);
        }
    }));
}

/// Handler faults that no request can trigger.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// Every handler panics.
    Panic,
    /// The handler of this path panics while it works, each time a little later than the last.
    PanicIn(&'static str),
    /// No handler ever responds.
    Stall,
}

/// The access token and refresh token of a login.
#[derive(Clone)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Tokens {
    /// Reads the tokens from the response to a login or a refresh.
    #[track_caller]
    pub(crate) fn of(response: &TestResponse) -> Self {
        assert_eq!(response.status, 200, "{response:?}");
        let text = |name: &str| response.body[name].as_str().unwrap().to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token") }
    }
}

/// A service on a loopback port.
pub(crate) struct TestApp {
    pub(crate) app: Arc<App>,
    pub(crate) settings: Settings,
    pub(crate) config: Config,
    pub(crate) address: SocketAddr,
    pub(crate) folder: Arc<TempDir>,
    pub(crate) tls: Option<Arc<Tls>>,
    client: reqwest::Client,
    shutdown: Shutdown,
}

type SettingsChange = Box<dyn FnOnce(Settings) -> Settings + Send>;

/// Configures how the service of a test differs from the default test service.
#[derive(Default)]
pub(crate) struct Builder {
    changes: Vec<SettingsChange>,
    overrides: Overrides,
}

/// What a test changes besides the settings.
#[derive(Default)]
struct Overrides {
    fault: Option<Fault>,
    starting: bool,
    deadlines: Option<DeadlineSettings>,
}

impl Builder {
    /// Sets a setting, as the configuration file or an environment variable would.
    pub(crate) fn setting(self, key: &'static str, value: impl Display) -> Self {
        let value = value.to_string();
        self.change(move |settings| settings.with(key, value))
    }

    /// Hashes on one slow thread with one place in the queue: the second password waits, and the third is rejected.
    pub(crate) fn slow_hashing(self) -> Self {
        self.change(Settings::slow_hashing)
    }

    /// Uses the default limits of the product.
    pub(crate) fn default_limits(self) -> Self {
        self.change(Settings::default_limits)
    }

    fn change(mut self, change: impl FnOnce(Settings) -> Settings + Send + 'static) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// Injects a fault into every handler.
    pub(crate) fn fault(mut self, fault: Fault) -> Self {
        self.overrides.fault = Some(fault);
        self
    }

    /// Keeps the service in its startup phase, before it connects to the database.
    pub(crate) fn starting(mut self) -> Self {
        self.overrides.starting = true;
        self
    }

    /// Overrides the connection deadlines, which have no setting.
    pub(crate) fn deadlines(mut self, deadlines: DeadlineSettings) -> Self {
        self.overrides.deadlines = Some(deadlines);
        self
    }

    /// Starts the service. The future is boxed to keep the types of the tests small.
    pub(crate) fn start(self) -> BoxFuture<'static, TestApp> {
        Box::pin(self.open())
    }

    async fn open(self) -> TestApp {
        let folder = TempDir::new().unwrap();
        let usual = Settings::in_folder(&folder).with("database.url", database::create(&folder).await);
        write_master_key(&folder);
        let settings = self.changes.into_iter().fold(usual, |settings, change| change(settings));
        Box::pin(start(settings, Arc::new(folder), Clock::frozen(START), self.overrides)).await
    }
}

async fn start(settings: Settings, folder: Arc<TempDir>, clock: Clock, overrides: Overrides) -> TestApp {
    let config = settings.config();
    let Overrides { fault, starting, deadlines } = overrides;
    let app = Arc::new(startup::open_with_retry(&config, &clock, &Arc::default()).await.unwrap());
    let instance = Arc::new(if starting { Instance::default() } else { Instance::ready(Arc::clone(&app)) });
    let shutdown = Shutdown { draining: instance.draining().clone(), ..Shutdown::default() };
    let metrics = Arc::clone(instance.metrics());
    let mut routes = http::routes(instance, document(), &config).unwrap();
    let mut middleware = http::middleware_settings(&config);
    if let Some(fault) = fault {
        if matches!(fault, Fault::Stall) {
            middleware.request_timeout = Duration::from_millis(200);
        }
        routes.endpoint = FaultyEndpoint { routes: routes.endpoint, fault, failed: AtomicU64::new(0) }.boxed();
    }
    let listeners = server::bind(&config.server.listen, false).unwrap();
    let address = listeners.first().unwrap().local_addr().unwrap();
    let endpoint = http::endpoint(routes, middleware, &metrics);
    let tls = http::load_tls(&config).unwrap();
    let mut connections = http::server_settings(&config, tls.clone());
    connections.deadlines = deadlines.unwrap_or(connections.deadlines);
    tokio::spawn(server::serve(listeners, endpoint, connections, shutdown.clone()));
    TestApp { app, settings, config, address, folder, tls, client: http_client(), shutdown }
}

impl TestApp {
    /// Starts the default test service: registration is open, hashing is cheap and the clock is frozen.
    pub(crate) async fn new() -> Self {
        Self::builder().start().await
    }

    pub(crate) fn builder() -> Builder {
        Builder::default()
    }

    /// Starts another instance of this service on the same database, with the same clock.
    pub(crate) fn start_instance(&self) -> BoxFuture<'static, Self> {
        self.start_instance_with(self.settings.clone())
    }

    /// Starts another instance with other settings.
    pub(crate) fn start_instance_with(&self, settings: Settings) -> BoxFuture<'static, Self> {
        Box::pin(start(settings, Arc::clone(&self.folder), self.app.clock.clone(), Overrides::default()))
    }

    /// Starts another instance with its own clock.
    pub(crate) fn start_instance_with_clock(&self, clock: Clock) -> BoxFuture<'static, Self> {
        Box::pin(start(self.settings.clone(), Arc::clone(&self.folder), clock, Overrides::default()))
    }

    /// Advances the service's clock.
    pub(crate) fn advance(&self, seconds: u64) {
        self.app.clock.advance(Duration::from_secs(seconds));
    }

    /// Steps the reference clock. The service does not notice before it synchronizes its clock.
    pub(crate) fn step(&self, seconds: i64) {
        let span = Duration::from_secs(seconds.unsigned_abs());
        if seconds < 0 { self.app.clock.step_host_back(span) } else { self.app.clock.step_host_forward(span) }
    }

    /// Synchronizes the service's clock, as a background job does. Returns the detected step in seconds.
    pub(crate) async fn sync_clock(&self) -> i64 {
        sync_clock(&self.app).await.unwrap().map_or(0, ClockOffset::seconds)
    }

    /// Tells the server to drain: it is about to stop.
    pub(crate) fn drain(&self) {
        self.shutdown.draining.cancel();
    }

    /// Tells the server to stop.
    pub(crate) fn stop(&self) {
        self.shutdown.stop.cancel();
    }

    pub(crate) fn call(&self, method: &str, path: &str) -> Call {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        Call::new(self.client.clone(), self.address, method, path)
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    pub(crate) fn post(&self, path: &str) -> Call {
        self.call("POST", path)
    }

    /// Creates a user, as an operator would.
    pub(crate) async fn create_user(&self, name: &str, password: &str) -> User {
        let name = Name::parse(name).unwrap();
        create_user(&self.app, &name, &Password::from(password.to_owned()), Actor::Operator).await.unwrap()
    }

    /// Signs a user in and returns the access token.
    pub(crate) async fn access_token(&self, name: &str, password: &str) -> String {
        self.sign_in(name, password).await.access
    }

    /// Signs a user in and returns the tokens.
    pub(crate) async fn sign_in(&self, name: &str, password: &str) -> Tokens {
        let body = json!({ "username": name, "password": password });
        Tokens::of(&self.post("/login").json(&body).send().await)
    }

    /// Sends a refresh token.
    pub(crate) async fn refresh(&self, token: &str) -> TestResponse {
        self.post("/token/refresh").json(&json!({ "refresh_token": token })).send().await
    }

    /// Returns whether the service accepts an access token.
    pub(crate) async fn accepts(&self, access_token: &str) -> bool {
        let response = self.get("/me").bearer(access_token).send().await;
        if response.status != 200 {
            response.is_problem(401, "invalid_token");
        }
        response.status == 200
    }

    /// Fills the hashing thread and the single place in the queue of a service with slow hashing.
    pub(crate) async fn fill_queue(&self) {
        self.fill_queue_for("nobody").await;
    }

    /// Does the same with logins of this user.
    pub(crate) async fn fill_queue_for(&self, name: &'static str) {
        let hasher = &self.app.hasher;
        let login = || {
            let app = Arc::clone(&self.app);
            tokio::spawn(async move { login(&app, login_attempt(name, "my_password")).await })
        };
        let before = hasher.computed();
        login();
        while hasher.computed() == before {
            tokio::task::yield_now().await;
        }
        login();
        while hasher.queue_length() == 0 {
            tokio::task::yield_now().await;
        }
    }

    /// Runs SQL directly on the database. Identifiers are quoted with `"`.
    pub(crate) async fn sql(&self, statement: &str) {
        self.app.db.execute_unprepared(&self.quoted(statement)).await.unwrap();
    }

    fn quoted(&self, statement: &str) -> String {
        let mysql = self.app.db.get_database_backend() == DatabaseBackend::MySql;
        if mysql { statement.replace('"', "`") } else { statement.to_owned() }
    }

    /// Returns the number of rows in a table.
    pub(crate) async fn count(&self, table: &str) -> i64 {
        let statement = self.quoted(&format!("SELECT COUNT(*) AS n FROM \"{table}\""));
        let statement = sea_orm::Statement::from_string(self.app.db.get_database_backend(), statement);
        self.app.db.query_one_raw(statement).await.unwrap().unwrap().try_get("", "n").unwrap()
    }

    /// Returns the audit events for reused and out-of-sequence refresh tokens.
    pub(crate) async fn misuse_events(&self) -> Vec<audit_event::Model> {
        misuse_events(&self.app.db).await
    }

    /// Returns the master key of this service.
    pub(crate) fn master_key(&self) -> MasterKey {
        MasterKey::parse(&fs::read_to_string(self.folder.path().join("vestibule.key")).unwrap()).unwrap()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.shutdown.stop.cancel();
        if canary::is_on() {
            canary::search_metrics(&self.app.metrics);
            canary::block_on(canary::search_audit_log(&self.app.db));
        }
    }
}

/// Writes a new master key to the test's folder.
pub(crate) fn write_master_key(folder: &TempDir) {
    let file = folder.path().join("vestibule.key");
    let key = startup::new_master_key().unwrap().to_text();
    canary::register_key(&key);
    fs::write(&file, &**key).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Returns a client with this IP address and a new request ID.
pub(crate) fn client_at(address: impl Into<IpAddr>) -> Client {
    Client { ip: address.into(), user_agent: None, request_id: RequestId::random() }
}

/// Returns the audit events for reused and out-of-sequence refresh tokens.
pub(crate) async fn misuse_events(db: &impl ConnectionTrait) -> Vec<audit_event::Model> {
    let kinds = [Kind::RefreshTokenReused, Kind::RefreshTokenOutOfSequence].map(|kind| kind.to_value());
    let all = audit_event::Entity::find().all(db).await.unwrap();
    all.into_iter().filter(|event| kinds.contains(&event.kind)).collect()
}

/// Returns a login attempt from this host.
pub(crate) fn login_attempt(username: &str, password: &str) -> LoginAttempt {
    LoginAttempt {
        username: username.to_owned(),
        password: password.to_owned().into(),
        client: client_at([127, 0, 0, 1]),
    }
}

/// Wraps the real routes and makes their handlers fail. Paths and methods stay the same.
struct FaultyEndpoint {
    routes: BoxEndpoint<'static>,
    fault: Fault,
    failed: AtomicU64,
}

impl Endpoint for FaultyEndpoint {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        if let Fault::PanicIn(path) = self.fault {
            let fails = request.uri().path() == path;
            let mut work = Box::pin(self.routes.call(request));
            if fails {
                let later = Duration::from_millis(self.failed.fetch_add(1, Ordering::Relaxed) % 8);
                drop(tokio::time::timeout(later, &mut work).await);
                panic!("{INJECTED_PANIC}");
            }
            return work.await;
        }
        let response = self.routes.call(request).await;
        let missing = response.as_ref().err().is_some_and(|error| matches!(error.status().as_u16(), 404 | 405));
        if missing {
            return response;
        }
        match self.fault {
            Fault::Panic | Fault::PanicIn(_) => panic!("{INJECTED_PANIC}"),
            Fault::Stall => std::future::pending().await,
        }
    }
}
