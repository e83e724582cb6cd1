//! A simulated user who remembers what the service has acknowledged, and verifies that it still holds.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    app::Tokens,
    client::{Call, TestResponse},
    process::ServiceClient,
    results::ResultRow,
};

/// How long a rotated refresh token may be sent again: the default grace period.
const GRACE: Duration = Duration::from_secs(30);

/// The statuses that a simulated user expects when everything works.
pub(super) const EXPECTED_STATUSES: [u16; 5] = [200, 201, 204, 401, 409];
/// The statuses that a simulated user expects during an outage.
pub(super) const EXPECTED_OR_503: [u16; 6] = [200, 201, 204, 401, 409, 503];

/// The outcome of one request.
pub(super) struct RequestOutcome {
    pub(super) at: Instant,
    pub(super) took: Duration,
    /// `None` if there was no response.
    pub(super) status: Option<u16>,
}

/// The outcomes of everything that a simulated user did.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) requests: Vec<RequestOutcome>,
    /// The number of acknowledged changes.
    pub(super) acknowledged: usize,
    /// Acknowledged changes that were lost.
    pub(super) lost: Vec<String>,
    /// Changes that were written only in part.
    pub(super) half_written: Vec<String>,
    /// Credentials that should have been rejected but were accepted.
    pub(super) wrongly_accepted: Vec<String>,
    /// Sessions that ended because the response to a refresh was lost and the grace period was over before the retry.
    pub(super) grace_expired: usize,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.requests.extend(other.requests);
        self.acknowledged += other.acknowledged;
        self.lost.extend(other.lost);
        self.half_written.extend(other.half_written);
        self.wrongly_accepted.extend(other.wrongly_accepted);
        self.grace_expired += other.grace_expired;
    }

    /// Returns the requests that got 503.
    pub(super) fn responses_503(&self) -> impl Iterator<Item = &RequestOutcome> {
        self.requests.iter().filter(|request| request.status == Some(503))
    }

    /// Returns how long after a moment the last 503 arrived, or zero if none did.
    pub(super) fn last_503_after(&self, since: Instant) -> Duration {
        let last = self.responses_503().map(|request| request.at + request.took).max();
        last.map_or(Duration::ZERO, |last| last.saturating_duration_since(since))
    }

    /// Returns a row of the results table.
    pub(super) fn result_row(&self, id: &'static str, scenario: &'static str, rounds: usize) -> ResultRow {
        ResultRow {
            id,
            scenario,
            rounds,
            acknowledged: Some(self.acknowledged),
            lost: Some(self.lost.len()),
            half_written: Some(self.half_written.len()),
            wrongly_accepted: Some(self.wrongly_accepted.len()),
            worst_503: self.responses_503().map(|request| request.took).max(),
            ..ResultRow::default()
        }
    }

    /// Returns how many requests got another status than these, or no response.
    pub(super) fn count_unexpected(&self, statuses: &[u16]) -> usize {
        self.requests.iter().filter(|request| request.status.is_none_or(|status| !statuses.contains(&status))).count()
    }

    /// Returns the statuses that are not among these.
    pub(super) fn unexpected_statuses(&self, statuses: &[u16]) -> Vec<u16> {
        self.requests.iter().filter_map(|request| request.status).filter(|status| !statuses.contains(status)).collect()
    }

    /// Asserts that every request got a response with one of these statuses.
    #[track_caller]
    pub(super) fn assert_statuses(&self, statuses: &[u16]) {
        assert_eq!(self.unexpected_statuses(statuses), [0; 0]);
        assert!(self.requests.iter().all(|request| request.status.is_some()), "every request must get a response");
    }

    /// Asserts that every acknowledged change is complete, and that nothing was wrongly accepted.
    #[track_caller]
    pub(super) fn assert_consistent(&self) {
        assert_eq!(self.lost, [""; 0], "acknowledged but lost");
        assert_eq!(self.half_written, [""; 0], "written only in part");
        assert_eq!(self.wrongly_accepted, [""; 0], "wrongly accepted");
    }
}

/// A session. If the response to a refresh was lost, it is unknown since then whether the token was rotated.
struct Session {
    tokens: Tokens,
    pending_since: Option<Instant>,
}

/// A simulated user.
pub(super) struct SimulatedUser {
    name: String,
    password: String,
    /// A new password whose change got no response. It may or may not be in effect.
    pending_password: Option<String>,
    registration_sent: bool,
    registered: bool,
    session: Option<Session>,
    /// Another session, which the next password change ends.
    other_session: Option<Tokens>,
    /// Tokens of ended sessions.
    ended_sessions: Vec<Tokens>,
    steps: usize,
    pub(super) tally: Tally,
}

impl SimulatedUser {
    pub(super) fn new(name: String) -> Self {
        Self {
            password: format!("first password of {name}"),
            name,
            pending_password: None,
            registration_sent: false,
            registered: false,
            session: None,
            other_session: None,
            ended_sessions: Vec::new(),
            steps: 0,
            tally: Tally::default(),
        }
    }

    /// Sends a request. Returns `None` if there was no complete response, or a 503.
    async fn send(&mut self, call: Call) -> Option<TestResponse> {
        let at = Instant::now();
        let response = call.try_send().await.ok();
        let seen = RequestOutcome { at, took: at.elapsed(), status: response.as_ref().map(|response| response.status) };
        self.tally.requests.push(seen);
        // A 503 says nothing about whether the change was made.
        response.filter(|response| response.status != 503)
    }

    async fn post(&mut self, client: &ServiceClient, path: &str, body: &Value) -> Option<TestResponse> {
        self.send(client.call("POST", path).json(body)).await
    }

    /// Takes the next step. A request that got no response is sent again.
    pub(super) async fn step(&mut self, client: &ServiceClient) {
        if !self.registered {
            return self.register(client).await;
        }
        if self.pending_password.is_some() {
            return self.resolve_pending_password(client).await;
        }
        if self.session.is_none() {
            self.session = self.log_in(client).await.map(|tokens| Session { tokens, pending_since: None });
            return;
        }
        if self.session.as_ref().is_some_and(|session| session.pending_since.is_some()) {
            return self.refresh(client).await;
        }
        self.steps += 1;
        match self.steps % 5 {
            1 if self.other_session.is_none() => self.other_session = self.log_in(client).await,
            4 => self.change_password(client).await,
            0 => self.try_invalid_credentials(client).await,
            _ => self.refresh(client).await,
        }
    }

    async fn register(&mut self, client: &ServiceClient) {
        let body = json!({ "username": self.name, "password": self.password });
        let Some(response) = self.post(client, "/register", &body).await else {
            self.registration_sent = true;
            return;
        };
        match response.status {
            201 => self.tally.acknowledged += 1,
            // The registration that got no response succeeded after all.
            409 if self.registration_sent => {}
            _ => panic!("registration failed: {response:?}"),
        }
        self.registered = true;
    }

    async fn log_in(&mut self, client: &ServiceClient) -> Option<Tokens> {
        let body = json!({ "username": self.name, "password": self.password });
        let response = self.post(client, "/login", &body).await?;
        if response.status == 200 {
            self.tally.acknowledged += 1;
            return Some(Tokens::of(&response));
        }
        self.tally.lost.push(format!("the password of {}: {}", self.name, response.text));
        None
    }

    async fn refresh(&mut self, client: &ServiceClient) {
        let Some(Session { tokens, pending_since }) = self.session.take() else { return };
        let begun = Instant::now();
        let Some(response) = self.post(client, "/token/refresh", &json!({ "refresh_token": tokens.refresh })).await
        else {
            self.session = Some(Session { tokens, pending_since: pending_since.or(Some(begun)) });
            return;
        };
        if response.status == 200 {
            self.tally.acknowledged += 1;
            self.session = Some(Session { tokens: Tokens::of(&response), pending_since: None });
        } else if pending_since.is_some_and(|since| since.elapsed() >= GRACE) {
            self.tally.grace_expired += 1;
        } else {
            self.tally.lost.push(format!("a session of {}: {}", self.name, response.text));
        }
    }

    async fn change_password(&mut self, client: &ServiceClient) {
        let Some(session) = &self.session else { return };
        let new = format!("password {} of {}", self.steps, self.name);
        let body = json!({ "current_password": self.password, "new_password": new });
        let call = client.call("POST", "/me/password").bearer(&session.tokens.access).json(&body);
        let Some(response) = self.send(call).await else {
            self.pending_password = Some(new);
            return;
        };
        if response.status == 204 {
            self.tally.acknowledged += 1;
            self.password = new;
            self.ended_sessions.extend(self.other_session.take());
        } else {
            self.tally.lost.push(format!("a session of {}: {}", self.name, response.text));
            self.session = None;
        }
    }

    /// Finds out whether a password change without a response took effect, and whether it did so completely: the other
    /// session must have ended exactly if the new password is valid.
    async fn resolve_pending_password(&mut self, client: &ServiceClient) {
        let Some(new) = self.pending_password.clone() else { return };
        let login = |password: &str| json!({ "username": self.name, "password": password });
        let (with_old, with_new) = (login(&self.password), login(&new));
        let Some(old) = self.post(client, "/login", &with_old).await else { return };
        let Some(renewed) = self.post(client, "/login", &with_new).await else { return };
        let changed = match (old.status, renewed.status) {
            (200, 401) => false,
            (401, 200) => true,
            both => {
                self.tally.half_written.push(format!("old and new password of {}: {both:?}", self.name));
                false
            }
        };
        if let Some(other) = self.other_session.clone() {
            let call = client.call("GET", "/me").bearer(&other.access);
            let Some(response) = self.send(call).await else { return };
            if (response.status == 200) == changed {
                self.tally.half_written.push(format!("{}: changed {changed}, other session {response:?}", self.name));
            }
        }
        self.pending_password = None;
        if changed {
            self.password = new;
            self.ended_sessions.extend(self.other_session.take());
        }
    }

    /// Sends a wrong password, and the tokens of an ended session.
    async fn try_invalid_credentials(&mut self, client: &ServiceClient) {
        let body = json!({ "username": self.name, "password": "not the password" });
        self.expect_rejection("a wrong password", client.call("POST", "/login").json(&body)).await;
        if let Some(ended) = self.ended_sessions.pop() {
            self.expect_rejection(
                "the access token of an ended session",
                client.call("GET", "/me").bearer(&ended.access),
            )
            .await;
            let body = json!({ "refresh_token": ended.refresh });
            self.expect_rejection("its refresh token", client.call("POST", "/token/refresh").json(&body)).await;
        }
    }

    async fn expect_rejection(&mut self, what: &str, call: Call) {
        if let Some(response) = self.send(call).await
            && response.status != 401
        {
            self.tally.wrongly_accepted.push(format!("{what} of {}: {response:?}", self.name));
        }
    }

    /// Verifies that all acknowledged changes hold, now that the service runs.
    pub(super) async fn verify_acknowledged(&mut self, client: &ServiceClient) {
        if !self.registered {
            if self.registration_sent {
                self.register(client).await;
            }
            return;
        }
        // Use the session first: the grace period of its token may end soon.
        if self.session.is_some() {
            self.refresh(client).await;
        }
        self.resolve_pending_password(client).await;
        self.log_in(client).await;
        self.try_invalid_credentials(client).await;
    }
}
