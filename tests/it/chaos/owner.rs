//! The owner of an account, who remembers what the service has acknowledged, and looks whether it still holds.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    app::Tokens,
    client::{Answer, Call},
    figures::Figures,
    process::Remote,
};

/// How long a refresh token that was just exchanged may be presented again: the service's default.
const GRACE: Duration = Duration::from_secs(30);

/// What an owner is answered where all is well.
pub(super) const GOOD: [u16; 5] = [200, 201, 204, 401, 409];
/// And where a part is failing.
pub(super) const GOOD_OR_REFUSED: [u16; 6] = [200, 201, 204, 401, 409, 503];

/// What came of one request.
pub(super) struct Seen {
    pub(super) at: Instant,
    pub(super) took: Duration,
    /// None when no answer came.
    pub(super) status: Option<u16>,
}

/// What came of all that an owner did.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) seen: Vec<Seen>,
    /// Changes that were acknowledged.
    pub(super) acknowledged: usize,
    /// What of that was gone later.
    pub(super) lost: Vec<String>,
    /// Changes of which one part was done and another was not.
    pub(super) half_written: Vec<String>,
    /// What should not have been accepted, and was.
    pub(super) wrongful: Vec<String>,
    /// Sessions that ended because the answer to a refresh got lost and could not be asked for again in time.
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

    /// Those that were refused.
    pub(super) fn refusals(&self) -> impl Iterator<Item = &Seen> {
        self.seen.iter().filter(|seen| seen.status == Some(503))
    }

    /// How long after a moment the last refusal was told; none when none was told later.
    pub(super) fn last_refusal(&self, since: Instant) -> Duration {
        let last = self.refusals().map(|seen| seen.at + seen.took).max();
        last.map_or(Duration::ZERO, |last| last.saturating_duration_since(since))
    }

    /// A row of the table.
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

    /// How many requests were answered with a status that is not among those, or not at all.
    pub(super) fn failed(&self, statuses: &[u16]) -> usize {
        self.seen.iter().filter(|seen| seen.status.is_none_or(|status| !statuses.contains(&status))).count()
    }

    /// The answers with a status that is not among those.
    pub(super) fn others(&self, statuses: &[u16]) -> Vec<u16> {
        self.seen.iter().filter_map(|seen| seen.status).filter(|status| !statuses.contains(status)).collect()
    }

    /// Asserts that every request was answered, with one of these statuses.
    #[track_caller]
    pub(super) fn is_answered(&self, statuses: &[u16]) {
        assert_eq!(self.others(statuses), [0; 0]);
        assert!(self.seen.iter().all(|seen| seen.status.is_some()), "every request is answered");
    }

    /// Asserts that whatever was acknowledged is there, whole, and that nobody else was let in.
    #[track_caller]
    pub(super) fn holds(&self) {
        assert_eq!(self.lost, [""; 0], "acknowledged, and then lost");
        assert_eq!(self.half_written, [""; 0], "done in part");
        assert_eq!(self.wrongful, [""; 0], "accepted");
    }
}

/// A refresh token, and since when it is unknown whether it was exchanged.
struct Session {
    tokens: Tokens,
    exchanged: Option<Instant>,
}

/// An account and its owner.
pub(super) struct Owner {
    name: String,
    password: String,
    /// A password that it may have instead: the change was asked for, and no answer came.
    wanted: Option<String>,
    asked: bool,
    registered: bool,
    session: Option<Session>,
    /// A session that the next change of the password ends.
    other: Option<Tokens>,
    /// Tokens of sessions that are over.
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

    /// Sends a request; none where the service is not there or does not answer to the end.
    async fn send(&mut self, call: Call) -> Option<Answer> {
        let at = Instant::now();
        let answer = call.try_send().await.ok();
        let seen = Seen { at, took: at.elapsed(), status: answer.as_ref().map(|answer| answer.status) };
        self.tally.seen.push(seen);
        // Who is told to come again has been told nothing about what was asked for.
        answer.filter(|answer| answer.status != 503)
    }

    async fn post(&mut self, remote: &Remote, path: &str, body: &Value) -> Option<Answer> {
        self.send(remote.call("POST", path).json(body)).await
    }

    /// The next thing that an owner does. Whoever has no answer asks again.
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
            // The one that no answer came to was done after all.
            409 if self.asked => {}
            _ => panic!("a registration: {answer:?}"),
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

    /// Finds out whether a change was made that no answer came to, and whether it was made as a whole: the other
    /// session has ended exactly when the new password is the right one.
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

    /// Presents a wrong password, and tokens of a session that has ended.
    async fn try_what_is_over(&mut self, remote: &Remote) {
        let body = json!({ "username": self.name, "password": "not the password" });
        self.expect_refusal("a wrong password", remote.call("POST", "/login").json(&body)).await;
        if let Some(ended) = self.ended.pop() {
            self.expect_refusal("an ended session", remote.call("GET", "/me").bearer(&ended.access)).await;
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

    /// Looks whether all that was acknowledged is there, on a service that runs.
    pub(super) async fn look_back(&mut self, remote: &Remote) {
        if !self.registered {
            if self.asked {
                self.register(remote).await;
            }
            return;
        }
        // The session first: its token may have been exchanged a while ago.
        if self.session.is_some() {
            self.refresh(remote).await;
        }
        self.learn_password(remote).await;
        self.log_in(remote).await;
        self.try_what_is_over(remote).await;
    }
}
