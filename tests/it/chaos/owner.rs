//! A simulated user who remembers what the service has acknowledged, and verifies that it still holds.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    app::Tokens,
    client::{Answer, Call},
    figures::Figures,
    process::Remote,
};

/// How long a rotated refresh token may be sent again: the default grace period.
const GRACE: Duration = Duration::from_secs(30);

/// The statuses that a simulated user expects when everything works.
pub(super) const GOOD: [u16; 5] = [200, 201, 204, 401, 409];
/// The statuses that a simulated user expects during an outage.
pub(super) const GOOD_OR_REFUSED: [u16; 6] = [200, 201, 204, 401, 409, 503];

/// The outcome of one request.
pub(super) struct Seen {
    pub(super) at: Instant,
    pub(super) took: Duration,
    /// `None` if there was no response.
    pub(super) status: Option<u16>,
}

/// The outcomes of everything that a simulated user did.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) seen: Vec<Seen>,
    /// The number of acknowledged changes.
    pub(super) acknowledged: usize,
    /// Acknowledged changes that were lost.
    pub(super) lost: Vec<String>,
    /// Changes that were written only in part.
    pub(super) half_written: Vec<String>,
    /// Credentials that should have been rejected but were accepted.
    pub(super) wrongful: Vec<String>,
    /// Sessions that ended because the response to a refresh was lost and the grace period was over before the retry.
    pub(super) late: usize,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.seen.extend(other.seen);
        self.acknowledged += other.acknowledged;
        self.lost.extend(other.lost);
        self.half_written.extend(other.half_written);
        self.wrongful.extend(other.wrongful);
        self.late += other.late;
    }

    /// Returns the requests that got 503.
    pub(super) fn refusals(&self) -> impl Iterator<Item = &Seen> {
        self.seen.iter().filter(|seen| seen.status == Some(503))
    }

    /// Returns how long after a moment the last 503 arrived, or zero if none did.
    pub(super) fn last_refusal(&self, since: Instant) -> Duration {
        let last = self.refusals().map(|seen| seen.at + seen.took).max();
        last.map_or(Duration::ZERO, |last| last.saturating_duration_since(since))
    }

    /// Returns a row of the results table.
    pub(super) fn figures(&self, id: &'static str, scenario: &'static str, rounds: usize) -> Figures {
        Figures {
            id,
            scenario,
            rounds,
            acknowledged: Some(self.acknowledged),
            lost: Some(self.lost.len()),
            half_written: Some(self.half_written.len()),
            wrongful: Some(self.wrongful.len()),
            worst_503: self.refusals().map(|seen| seen.took).max(),
            ..Figures::default()
        }
    }

    /// Returns how many requests got another status than these, or no response.
    pub(super) fn failed(&self, statuses: &[u16]) -> usize {
        self.seen.iter().filter(|seen| seen.status.is_none_or(|status| !statuses.contains(&status))).count()
    }

    /// Returns the statuses that are not among these.
    pub(super) fn others(&self, statuses: &[u16]) -> Vec<u16> {
        self.seen.iter().filter_map(|seen| seen.status).filter(|status| !statuses.contains(status)).collect()
    }

    /// Asserts that every request got a response with one of these statuses.
    #[track_caller]
    pub(super) fn is_answered(&self, statuses: &[u16]) {
        assert_eq!(self.others(statuses), [0; 0]);
        assert!(self.seen.iter().all(|seen| seen.status.is_some()), "every request must get a response");
    }

    /// Asserts that every acknowledged change is complete, and that nothing was wrongly accepted.
    #[track_caller]
    pub(super) fn holds(&self) {
        assert_eq!(self.lost, [""; 0], "acknowledged but lost");
        assert_eq!(self.half_written, [""; 0], "written only in part");
        assert_eq!(self.wrongful, [""; 0], "wrongly accepted");
    }
}

/// A session. If the response to a refresh was lost, it is unknown since then whether the token was rotated.
struct Session {
    tokens: Tokens,
    exchanged: Option<Instant>,
}

/// A simulated user.
pub(super) struct Owner {
    name: String,
    password: String,
    /// A new password whose change got no response. It may or may not be in effect.
    wanted: Option<String>,
    asked: bool,
    registered: bool,
    session: Option<Session>,
    /// Another session, which the next password change ends.
    other: Option<Tokens>,
    /// Tokens of ended sessions.
    ended: Vec<Tokens>,
    steps: usize,
    pub(super) tally: Tally,
}

impl Owner {
    pub(super) fn new(name: String) -> Self {
        Self {
            password: format!("first password of {name}"),
            name,
            wanted: None,
            asked: false,
            registered: false,
            session: None,
            other: None,
            ended: Vec::new(),
            steps: 0,
            tally: Tally::default(),
        }
    }

    /// Sends a request. Returns `None` if there was no complete response, or a 503.
    async fn send(&mut self, call: Call) -> Option<Answer> {
        let at = Instant::now();
        let answer = call.try_send().await.ok();
        let seen = Seen { at, took: at.elapsed(), status: answer.as_ref().map(|answer| answer.status) };
        self.tally.seen.push(seen);
        // A 503 says nothing about whether the change was made.
        answer.filter(|answer| answer.status != 503)
    }

    async fn post(&mut self, remote: &Remote, path: &str, body: &Value) -> Option<Answer> {
        self.send(remote.call("POST", path).json(body)).await
    }

    /// Takes the next step. A request that got no response is sent again.
    pub(super) async fn step(&mut self, remote: &Remote) {
        if !self.registered {
            return self.register(remote).await;
        }
        if self.wanted.is_some() {
            return self.learn_password(remote).await;
        }
        if self.session.is_none() {
            self.session = self.log_in(remote).await.map(|tokens| Session { tokens, exchanged: None });
            return;
        }
        if self.session.as_ref().is_some_and(|session| session.exchanged.is_some()) {
            return self.refresh(remote).await;
        }
        self.steps += 1;
        match self.steps % 5 {
            1 if self.other.is_none() => self.other = self.log_in(remote).await,
            4 => self.change_password(remote).await,
            0 => self.try_what_is_over(remote).await,
            _ => self.refresh(remote).await,
        }
    }

    async fn register(&mut self, remote: &Remote) {
        let body = json!({ "username": self.name, "password": self.password });
        let Some(answer) = self.post(remote, "/register", &body).await else {
            self.asked = true;
            return;
        };
        match answer.status {
            201 => self.tally.acknowledged += 1,
            // The registration that got no response succeeded after all.
            409 if self.asked => {}
            _ => panic!("registration failed: {answer:?}"),
        }
        self.registered = true;
    }

    async fn log_in(&mut self, remote: &Remote) -> Option<Tokens> {
        let body = json!({ "username": self.name, "password": self.password });
        let answer = self.post(remote, "/login", &body).await?;
        if answer.status == 200 {
            self.tally.acknowledged += 1;
            return Some(Tokens::of(&answer));
        }
        self.tally.lost.push(format!("the password of {}: {}", self.name, answer.text));
        None
    }

    async fn refresh(&mut self, remote: &Remote) {
        let Some(Session { tokens, exchanged }) = self.session.take() else { return };
        let begun = Instant::now();
        let Some(answer) = self.post(remote, "/token/refresh", &json!({ "refresh_token": tokens.refresh })).await
        else {
            self.session = Some(Session { tokens, exchanged: exchanged.or(Some(begun)) });
            return;
        };
        if answer.status == 200 {
            self.tally.acknowledged += 1;
            self.session = Some(Session { tokens: Tokens::of(&answer), exchanged: None });
        } else if exchanged.is_some_and(|asked| asked.elapsed() >= GRACE) {
            self.tally.late += 1;
        } else {
            self.tally.lost.push(format!("a session of {}: {}", self.name, answer.text));
        }
    }

    async fn change_password(&mut self, remote: &Remote) {
        let Some(session) = &self.session else { return };
        let new = format!("password {} of {}", self.steps, self.name);
        let body = json!({ "current_password": self.password, "new_password": new });
        let call = remote.call("POST", "/me/password").bearer(&session.tokens.access).json(&body);
        let Some(answer) = self.send(call).await else {
            self.wanted = Some(new);
            return;
        };
        if answer.status == 204 {
            self.tally.acknowledged += 1;
            self.password = new;
            self.ended.extend(self.other.take());
        } else {
            self.tally.lost.push(format!("a session of {}: {}", self.name, answer.text));
            self.session = None;
        }
    }

    /// Finds out whether a password change without a response took effect, and whether it did so completely: the other
    /// session must have ended exactly if the new password is valid.
    async fn learn_password(&mut self, remote: &Remote) {
        let Some(new) = self.wanted.clone() else { return };
        let login = |password: &str| json!({ "username": self.name, "password": password });
        let (with_old, with_new) = (login(&self.password), login(&new));
        let Some(old) = self.post(remote, "/login", &with_old).await else { return };
        let Some(renewed) = self.post(remote, "/login", &with_new).await else { return };
        let changed = match (old.status, renewed.status) {
            (200, 401) => false,
            (401, 200) => true,
            both => {
                self.tally.half_written.push(format!("old and new password of {}: {both:?}", self.name));
                false
            }
        };
        if let Some(other) = self.other.clone() {
            let call = remote.call("GET", "/me").bearer(&other.access);
            let Some(answer) = self.send(call).await else { return };
            if (answer.status == 200) == changed {
                self.tally.half_written.push(format!("{}: changed {changed}, other session {answer:?}", self.name));
            }
        }
        self.wanted = None;
        if changed {
            self.password = new;
            self.ended.extend(self.other.take());
        }
    }

    /// Sends a wrong password, and the tokens of an ended session.
    async fn try_what_is_over(&mut self, remote: &Remote) {
        let body = json!({ "username": self.name, "password": "not the password" });
        self.expect_refusal("a wrong password", remote.call("POST", "/login").json(&body)).await;
        if let Some(ended) = self.ended.pop() {
            self.expect_refusal("the access token of an ended session", remote.call("GET", "/me").bearer(&ended.access)).await;
            let body = json!({ "refresh_token": ended.refresh });
            self.expect_refusal("its refresh token", remote.call("POST", "/token/refresh").json(&body)).await;
        }
    }

    async fn expect_refusal(&mut self, what: &str, call: Call) {
        if let Some(answer) = self.send(call).await
            && answer.status != 401
        {
            self.tally.wrongful.push(format!("{what} of {}: {answer:?}", self.name));
        }
    }

    /// Verifies that all acknowledged changes hold, now that the service runs.
    pub(super) async fn look_back(&mut self, remote: &Remote) {
        if !self.registered {
            if self.asked {
                self.register(remote).await;
            }
            return;
        }
        // Use the session first: the grace period of its token may end soon.
        if self.session.is_some() {
            self.refresh(remote).await;
        }
        self.learn_password(remote).await;
        self.log_in(remote).await;
        self.try_what_is_over(remote).await;
    }
}
