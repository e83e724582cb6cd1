//! Runs the steps of a sequence against the service and the model, and compares the two.

use std::{collections::BTreeMap, fmt, ops::AddAssign};

use futures_util::future::join_all;
use serde_json::json;
use vestibule::{
    domain::{
        admin::users::{ChangeUserError, delete_user, disable_user, enable_user, set_password},
        user::User,
    },
    ids::UserId,
    jobs::run_cleanup,
};

use super::{
    ACCESS, GRACE, IDLE, LIFETIME, MAX_SESSIONS,
    state::{self, EndCause, Model, RefreshOutcome},
    steps::{Age, Boundary, Caller, Operation, PasswordChoice, Refresh, Span, Step},
};
use crate::support::{
    TestApp,
    app::{Builder, Tokens},
    client::TestResponse,
    forge,
};

const NAMES: [&str; 3] = ["john", "jane", "joan"];
const PASSWORDS: [&str; 3] = ["one good password", "another password", "the last password"];
/// All tokens are checked after this many steps.
const CHECK_INTERVAL: usize = 8;
/// The number of concurrent requests.
const CONCURRENCY: usize = 4;

/// The number of events of each kind.
#[derive(Default)]
pub(super) struct Tally {
    steps: usize,
    /// The number of token checks between the steps.
    tokens: usize,
    kinds: BTreeMap<&'static str, usize>,
}

impl Tally {
    fn count(&mut self, kind: &'static str) {
        self.kinds.entry(kind).or_default().add_assign(1);
    }

    pub(super) fn has(&self, kind: &str) -> bool {
        self.kinds.contains_key(kind)
    }

    pub(super) fn add(&mut self, other: Self) {
        self.steps += other.steps;
        self.tokens += other.tokens;
        for (kind, number) in other.kinds {
            self.kinds.entry(kind).or_default().add_assign(number);
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} steps, {} tokens checked in between, {:?}", self.steps, self.tokens, self.kinds)
    }
}

/// Returns an error if two values differ.
fn expect<T: PartialEq + fmt::Debug>(what: &str, seen: &T, expected: &T) -> Result<(), String> {
    if seen == expected { Ok(()) } else { Err(format!("{what}: {seen:?} instead of {expected:?}")) }
}

fn set(user: &mut Option<state::UserState>, change: impl FnOnce(&mut state::UserState)) {
    if let Some(user) = user {
        change(user);
    }
}

/// Two instances on one database, and the model.
struct Driver {
    instances: [TestApp; 2],
    /// The latest user of each name.
    users: Vec<User>,
    model: Model,
    tally: Tally,
}

/// Runs a sequence from the start.
pub(super) async fn run(steps: &[(u8, Step)]) -> Result<Tally, String> {
    let mut driver = Driver::start().await;
    for (number, (instance, step)) in steps.iter().enumerate() {
        let place = |error| format!("step {number}, {step:?}: {error}");
        driver.step(usize::from(*instance), *step).await.map_err(place)?;
        if number % CHECK_INTERVAL == CHECK_INTERVAL - 1 {
            driver.check_all_tokens().await.map_err(|error| format!("after step {number}: {error}"))?;
        }
    }
    driver.tally.steps += steps.len();
    driver.finish().await.map_err(|error| format!("at the end: {error}"))?;
    Ok(driver.tally)
}

fn builder() -> Builder {
    TestApp::builder()
        .setting("tokens.access_lifetime", format!("{ACCESS}s"))
        .setting("sessions.refresh_grace_period", format!("{GRACE}s"))
        .setting("sessions.idle_lifetime", format!("{IDLE}s"))
        .setting("sessions.lifetime", format!("{LIFETIME}s"))
        .setting("sessions.max_per_user", MAX_SESSIONS)
        .setting("passwords.hash_threads", 1)
}

impl Driver {
    async fn start() -> Self {
        let app = builder().start().await;
        let (mut users, mut model) = (Vec::new(), Model::default());
        for name in NAMES {
            users.push(app.create_user(name, PASSWORDS[0]).await);
            model.users.push(Some(state::UserState { password: 0, disabled: false }));
        }
        let other = app.start_instance().await;
        Self { instances: [app, other], users, model, tally: Tally::default() }
    }

    async fn step(&mut self, at: usize, step: Step) -> Result<(), String> {
        match step {
            Step::LogIn { user, password } => self.log_in(at, usize::from(user) % NAMES.len(), password).await,
            Step::CleanUp => run_cleanup(&self.instances[at].app).await.map(drop).map_err(|fault| fault.to_string()),
            // All other steps need a session.
            _ if self.model.sessions.is_empty() => Ok(()),
            Step::Operator { session, operation } => {
                self.operate(at, self.model.sessions[self.session(session)].user, operation).await
            }
            Step::Refresh(token) => self.refresh(at, token).await,
            Step::Revoke(token) => self.revoke(at, token).await,
            Step::Advance(span) => {
                self.advance_by(span);
                Ok(())
            }
            Step::LogOut(caller) => self.log_out(at, caller).await,
            Step::List(caller) => self.list(at, caller).await,
            Step::EndSession { caller, session } => self.end_session(at, caller, session).await,
            Step::EndOthers(caller) => self.end_others(at, caller).await,
            Step::ChangePassword { caller, current, new } => self.change_password(at, caller, current, new).await,
        }
    }

    fn advance(&mut self, seconds: u64) {
        self.instances[0].advance(seconds);
        self.model.now += seconds;
    }

    /// Returns the index of a session that is counted from the newest.
    fn session(&self, from_the_newest: u8) -> usize {
        let all = self.model.sessions.len();
        all - 1 - usize::from(from_the_newest) % all
    }

    fn password(&self, user: usize, choice: PasswordChoice) -> usize {
        match (choice, &self.model.users[user]) {
            (PasswordChoice::Correct, Some(user)) => user.password,
            (PasswordChoice::Correct, None) => 0,
            (PasswordChoice::Any(number), _) => usize::from(number) % PASSWORDS.len(),
        }
    }

    async fn log_in(&mut self, at: usize, user: usize, choice: PasswordChoice) -> Result<(), String> {
        // Sessions that start at the same time would have no oldest one.
        self.advance(1);
        let password = self.password(user, choice);
        let body = json!({ "username": NAMES[user], "password": PASSWORDS[password] });
        let response = self.instances[at].post("/login").json(&body).send().await;
        if !self.model.accepts_login(user, password) {
            self.tally.count("login rejected");
            return expect("the login", &(response.status, response.code()), &(401, "invalid_credentials"));
        }
        expect("the login", &response.status, &200)?;
        self.tally.count("login");
        let id = forge::decode_part(&Tokens::of(&response).access, 1)["sid"].as_str().unwrap().to_owned();
        if self.model.open_session(user, id, Tokens::of(&response)) > 0 {
            self.tally.count("oldest session ended");
        }
        self.check_lifetimes(self.model.sessions.len() - 1, &response)
    }

    /// Compares the lifetimes in a response with the model.
    fn check_lifetimes(&self, session: usize, response: &TestResponse) -> Result<(), String> {
        let seconds = |name: &str| response.body[name].as_u64().unwrap();
        expect("the lifetimes", &(seconds("refresh_expires_in"), seconds("expires_in")), &self.model.lifetimes(session))
    }

    /// Returns the index of a refresh token.
    fn token(&self, session: usize, age: Age) -> usize {
        let current = self.model.sessions[session].refresh.len() - 1;
        match age {
            Age::Current => current,
            Age::Previous => current.saturating_sub(1),
            Age::Older(number) => usize::from(number) % (current + 1),
        }
    }

    async fn refresh(&mut self, at: usize, Refresh { session, age }: Refresh) -> Result<(), String> {
        let session = self.session(session);
        self.use_refresh_token(at, session, self.token(session, age)).await
    }

    async fn use_refresh_token(&mut self, at: usize, session: usize, token: usize) -> Result<(), String> {
        let response = self.instances[at].refresh(&self.model.sessions[session].refresh[token]).await;
        let refresh_outcome = self.model.use_refresh_token(session, token);
        self.tally.count(match &refresh_outcome {
            RefreshOutcome::Rotated => "rotated",
            RefreshOutcome::Repeated(_) => "retried in the grace period",
            RefreshOutcome::Reuse => "reuse",
            RefreshOutcome::Rejected(EndCause::Ended) => "refresh of an ended session",
            RefreshOutcome::Rejected(EndCause::Idle) => "refresh after the idle lifetime",
            RefreshOutcome::Rejected(EndCause::Lifetime) => "refresh after the lifetime",
        });
        if matches!(refresh_outcome, RefreshOutcome::Reuse | RefreshOutcome::Rejected(_)) {
            return expect(
                &format!("{refresh_outcome:?}"),
                &(response.status, response.code()),
                &(401, "invalid_token"),
            );
        }
        expect(&format!("{refresh_outcome:?}"), &response.status, &200)?;
        let tokens = Tokens::of(&response);
        let known = self.model.sessions[session].refresh.contains(&tokens.refresh);
        match refresh_outcome {
            RefreshOutcome::Repeated(expected) => expect("the successor", &tokens.refresh, &expected)?,
            _ => expect("whether the token was issued before", &known, &false)?,
        }
        self.model.record_tokens(session, tokens);
        self.check_lifetimes(session, &response)
    }

    async fn revoke(&mut self, at: usize, Refresh { session, age }: Refresh) -> Result<(), String> {
        let session = self.session(session);
        let token = &self.model.sessions[session].refresh[self.token(session, age)];
        let response = self.instances[at].post("/token/revoke").json(&json!({ "refresh_token": token })).send().await;
        if self.model.is_live(session) {
            self.tally.count("revoked");
            self.model.end(session);
        }
        expect("the response", &response.status, &204)
    }

    /// Sends a request with an access token. Returns `None` if the model rejects the token and the service did too.
    async fn call(
        &mut self,
        at: usize,
        caller: Caller,
        method: &str,
        path: &str,
        body: Option<serde_json::Value>,
    ) -> Result<Option<(usize, TestResponse)>, String> {
        let number = self.session(caller.session);
        let session = &self.model.sessions[number];
        let access = &session.access[session.access.len() - 1 - usize::from(caller.token) % session.access.len()];
        let call = self.instances[at].call(method, path).bearer(&access.token);
        let response = match body {
            Some(body) => call.json(&body).send().await,
            None => call.send().await,
        };
        if self.model.accepts(number, access) {
            return Ok(Some((number, response)));
        }
        self.tally.count("access rejected");
        expect("the access token", &(response.status, response.code()), &(401, "invalid_token"))?;
        Ok(None)
    }

    async fn log_out(&mut self, at: usize, caller: Caller) -> Result<(), String> {
        let Some((own, response)) = self.call(at, caller, "POST", "/logout", None).await? else { return Ok(()) };
        self.tally.count("logout");
        self.model.end(own);
        expect("the response", &response.status, &204)
    }

    async fn list(&mut self, at: usize, caller: Caller) -> Result<(), String> {
        let Some((own, response)) = self.call(at, caller, "GET", "/me/sessions", None).await? else { return Ok(()) };
        self.tally.count("list");
        let items = response.body["items"].as_array().ok_or("the response has no list")?;
        let mut seen: Vec<_> = items.iter().map(|item| item["id"].as_str().unwrap()).collect();
        seen.sort_unstable();
        let session = &self.model.sessions[own];
        expect("the list", &seen, &self.model.live_sessions_of(session.user))?;
        let current = items.iter().filter(|item| item["current"] == true).map(|item| item["id"].as_str().unwrap());
        expect("the current session", &current.collect::<Vec<_>>(), &vec![session.id.as_str()])
    }

    async fn end_session(&mut self, at: usize, caller: Caller, session: u8) -> Result<(), String> {
        let target = self.session(session);
        let path = format!("/me/sessions/{}", self.model.sessions[target].id);
        let Some((own, response)) = self.call(at, caller, "DELETE", &path, None).await? else { return Ok(()) };
        if self.model.is_live_of(target, self.model.sessions[own].user) {
            self.tally.count("one ended");
            self.model.end(target);
            return expect("the response", &response.status, &204);
        }
        self.tally.count("no such session");
        expect("the response", &(response.status, response.code()), &(404, "not_found"))
    }

    async fn end_others(&mut self, at: usize, caller: Caller) -> Result<(), String> {
        let Some((own, response)) = self.call(at, caller, "DELETE", "/me/sessions", None).await? else { return Ok(()) };
        self.tally.count("others ended");
        self.model.end_all(self.model.sessions[own].user, Some(own));
        expect("the response", &response.status, &204)
    }

    async fn change_password(
        &mut self,
        at: usize,
        caller: Caller,
        choice: PasswordChoice,
        new: u8,
    ) -> Result<(), String> {
        let user = self.model.sessions[self.session(caller.session)].user;
        let (current, new) = (self.password(user, choice), usize::from(new) % PASSWORDS.len());
        let body = json!({ "current_password": PASSWORDS[current], "new_password": PASSWORDS[new] });
        let outcome = self.call(at, caller, "POST", "/me/password", Some(body)).await?;
        let Some((own, response)) = outcome else { return Ok(()) };
        let right = self.model.accepts_login(user, current);
        if !right {
            self.tally.count("password not changed");
            return expect("the response", &(response.status, response.code()), &(401, "invalid_credentials"));
        }
        self.tally.count("password changed");
        if let Some(user) = &mut self.model.users[user] {
            user.password = new;
        }
        self.model.end_all(user, Some(own));
        expect("the response", &response.status, &204)
    }

    async fn operate(&mut self, at: usize, number: usize, operation: Operation) -> Result<(), String> {
        let app = &self.instances[at].app;
        let id: UserId = self.users[number].id;
        let known = &mut self.model.users[number];
        let there = known.is_some();
        let change = |changed: Result<(), ChangeUserError>| {
            let found = !matches!(changed, Err(ChangeUserError::NotFound));
            expect("whether the user exists", &found, &there)?;
            if found { changed.map_err(|error| error.to_string()) } else { Ok(()) }
        };
        match (operation, known) {
            (Operation::Toggle, Some(state::UserState { disabled: disabled @ true, .. })) => {
                *disabled = false;
                return change(enable_user(app, id).await.map(drop));
            }
            (Operation::Toggle, known) => {
                change(disable_user(app, id).await.map(drop))?;
                self.tally.count("disabled");
                set(known, |user| user.disabled = true);
            }
            (Operation::Delete, known) => {
                change(delete_user(app, id).await)?;
                self.tally.count("deleted");
                *known = None;
            }
            // Creates another user with the same name.
            (Operation::Create(password), known @ None) => {
                let password = usize::from(password) % PASSWORDS.len();
                self.users[number] = self.instances[at].create_user(NAMES[number], PASSWORDS[password]).await;
                self.tally.count("created again");
                *known = Some(state::UserState { password, disabled: false });
                return Ok(());
            }
            (Operation::Create(_), Some(_)) => return Ok(()),
            (Operation::SetPassword(password), known) => {
                let password = usize::from(password) % PASSWORDS.len();
                let text = PASSWORDS[password].to_owned().into();
                change(set_password(app, &self.users[number], &text).await.map(drop))?;
                set(known, |user| user.password = password);
            }
        }
        self.model.end_all(number, None);
        Ok(())
    }

    fn advance_by(&mut self, span: Span) {
        let seconds = match span {
            Span::Seconds(seconds) => seconds.into(),
            Span::Until { session, what, later } => {
                let session = &self.model.sessions[self.session(session)];
                let end = match what {
                    Boundary::Grace => session.grace_ends(),
                    Boundary::Access => session.access_ends(),
                    Boundary::Idle => session.idle_expires,
                    Boundary::Lifetime => session.expires,
                };
                end.saturating_add_signed(later.into()).saturating_sub(self.model.now)
            }
        };
        self.advance(seconds);
    }

    /// Checks every token that can be checked without a change: all access tokens, and refresh tokens that are rejected
    /// or that return their successor again.
    async fn check_all_tokens(&mut self) -> Result<(), String> {
        let (mut access, mut refresh) = (Vec::new(), Vec::new());
        for (number, session) in self.model.sessions.iter().enumerate() {
            access.extend(session.access.iter().map(|token| (&token.token, self.model.accepts(number, token))));
            let current = session.refresh.len() - 1;
            if !self.model.is_live(number) {
                refresh.extend(session.refresh.iter().map(|token| (token, None)));
            } else if current > 0 && self.model.now < session.grace_ends() {
                refresh.push((&session.refresh[current - 1], Some(session.refresh[current].as_str())));
            }
        }
        self.tally.tokens += access.len() + refresh.len();
        let instance = |number: usize| &self.instances[number % 2];
        for some in access.chunks(CONCURRENCY) {
            let known = some.iter().enumerate().map(|(number, (token, _))| instance(number).accepts(token));
            for (known, (token, expected)) in join_all(known).await.into_iter().zip(some) {
                expect(&format!("the access token {}", forge::decode_part(token, 1)), &known, expected)?;
            }
        }
        for some in refresh.chunks(CONCURRENCY) {
            let responses = some.iter().enumerate().map(|(number, (token, _))| instance(number).refresh(token));
            for (response, (token, expected)) in join_all(responses).await.into_iter().zip(some) {
                let seen = response.body["refresh_token"].as_str();
                expect(
                    &format!("the refresh token {token}"),
                    &(response.status == 200, seen),
                    &(expected.is_some(), *expected),
                )?;
            }
        }
        Ok(())
    }

    /// Checks all tokens once more, then uses each session's refresh tokens even if that rotates them or ends the
    /// session: the previous one, the current one, the first one, and the newest.
    async fn finish(&mut self) -> Result<(), String> {
        self.check_all_tokens().await?;
        for session in 0..self.model.sessions.len() {
            for (at, age) in [(0, Age::Previous), (1, Age::Current), (1, Age::Older(0)), (0, Age::Current)] {
                self.use_refresh_token(at, session, self.token(session, age)).await?;
            }
        }
        self.check_all_tokens().await?;
        let misuse_events = i64::try_from(self.instances[0].misuse_events().await.len()).unwrap();
        expect("the number of reuses", &misuse_events, &self.model.reuses)?;
        let verification =
            vestibule::domain::audit::verify(&self.instances[0].app.db, &self.instances[0].app.audit).await.unwrap();
        expect("the findings in the audit log", &verification.findings, &Vec::new())
    }
}
