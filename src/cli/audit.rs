//! `vestibule audit`

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use time::{
    Date, OffsetDateTime,
    format_description::well_known::{Iso8601, Rfc3339},
};
use vestibule::{
    clock::Timestamp,
    domain::{
        admin::users::find_user,
        app::App,
        audit::{self, Entry, Filter, Kind, Outcome, Verification, parse_value},
    },
    ids::{RequestId, SessionId},
};

use super::{
    failure::Failure,
    terminal::{print_json, print_text},
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// List events, newest last
    List(List),
    /// Verify that no event was altered, removed, added or moved
    Verify {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub(super) struct List {
    /// Only events about this user: a username, or an id (which also finds events about a deleted user)
    #[arg(long, value_name = "NAME_OR_ID")]
    user: Option<String>,
    /// Only events about this session
    #[arg(long, value_name = "ID")]
    session: Option<SessionId>,
    /// Only events of the request with this X-Request-Id
    #[arg(long, value_name = "ID")]
    request: Option<RequestId>,
    /// Only events of this kind, such as login
    #[arg(long, value_parser = parse_value::<Kind>)]
    kind: Option<Kind>,
    /// Only events with this outcome: success or failure
    #[arg(long, value_parser = parse_value::<Outcome>)]
    outcome: Option<Outcome>,
    /// Only events that clients with this IP address caused
    #[arg(long)]
    client_ip: Option<std::net::IpAddr>,
    /// Only events at or after this date, such as 2027-01-31 or 2027-01-31T12:00:00Z
    #[arg(long, value_name = "DATE", value_parser = date)]
    since: Option<Timestamp>,
    /// Only events before this date
    #[arg(long, value_name = "DATE", value_parser = date)]
    until: Option<Timestamp>,
    /// The maximum number of events, counted from the newest
    #[arg(long, default_value_t = 100)]
    limit: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(app: &App, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(list) => {
            let entries = audit::list(&app.db, &list.filter(app).await?, list.limit).await?;
            if list.json {
                print_json(&entries.iter().map(to_json).collect())
            } else {
                print_text(&entries.iter().map(to_line).collect::<String>())
            }
        }
        Command::Verify { json } => {
            let verified = audit::verify(&app.db, &app.audit).await?;
            if json {
                print_json(&report(&verified))?;
            } else {
                print_text(&summary(&verified))?;
            }
            if verified.findings.is_empty() {
                return Ok(());
            }
            Err(Failure::new(
                Failure::TAMPERED,
                "the audit log was altered; keep the database as evidence, and compare it with a backup",
            ))
        }
    }
}

impl List {
    async fn filter(&self, app: &App) -> Result<Filter, Failure> {
        let user = match self.user.as_deref() {
            Some(who) => Some(match who.parse() {
                Ok(id) => id,
                Err(_) => find_user(app, who).await?.id,
            }),
            None => None,
        };
        Ok(Filter {
            user,
            session: self.session,
            request: self.request,
            kind: self.kind,
            outcome: self.outcome,
            client_ip: self.client_ip.map(|ip| ip.to_canonical().to_string()),
            since: self.since,
            until: self.until,
        })
    }
}

/// Parses a date, which means its midnight in UTC, or a date and time (RFC 3339).
fn date(text: &str) -> Result<Timestamp, String> {
    let instant = OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| Date::parse(text, &Iso8601::DATE).map(|day| day.midnight().assume_utc()))
        .map_err(|_| "not a date; write one such as 2027-01-31 or 2027-01-31T12:00:00Z".to_owned())?;
    let micros = i64::try_from(instant.unix_timestamp_nanos() / 1_000).map_err(|error| error.to_string())?;
    Ok(Timestamp::from_micros(micros))
}

fn to_json(entry: &Entry) -> Value {
    json!({
        "position": entry.position,
        "id": entry.id.to_string(),
        "occurred_at": entry.occurred_at.to_string(),
        "actor": entry.actor,
        "kind": entry.kind,
        "outcome": entry.outcome,
        "reason": entry.reason,
        "user_id": entry.user_id.map(|id| id.to_string()),
        "session_id": entry.session_id.map(|id| id.to_string()),
        "client_ip": entry.client_ip,
        "request_id": entry.request_id.map(|id| id.to_string()),
    })
}

/// Returns one line: position, time, actor, kind and outcome, then the fields that are set.
fn to_line(entry: &Entry) -> String {
    let position = entry.position.map_or_else(|| "-".to_owned(), |position| position.to_string());
    let mut text =
        format!("{position:>6}  {}  {:8}  {:20}  {}", entry.occurred_at, entry.actor, entry.kind, entry.outcome);
    let more = [
        ("reason", entry.reason.clone()),
        ("user", entry.user_id.map(|id| id.to_string())),
        ("session", entry.session_id.map(|id| id.to_string())),
        ("client_ip", entry.client_ip.clone()),
        ("request", entry.request_id.map(|id| id.to_string())),
    ];
    for (name, value) in more {
        text.extend(value.into_iter().flat_map(|value| ["  ".to_owned(), name.to_owned(), "=".to_owned(), value]));
    }
    text.push('\n');
    text
}

fn report(verified: &Verification) -> Value {
    json!({
        "events": verified.events,
        "first": verified.first,
        "last": verified.last,
        "last_mac": verified.last_mac,
        "outside": verified.outside,
        "findings": verified.findings.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn summary(verified: &Verification) -> String {
    let mut lines = verified.findings.iter().map(ToString::to_string).collect::<Vec<_>>();
    if lines.is_empty() {
        lines.push(format!(
            "Verified {} events, {} to {}: none was altered. The MAC of the last one is {}",
            verified.events, verified.first, verified.last, verified.last_mac
        ));
    }
    if verified.outside > 0 {
        lines.push(format!("{} events are older than the hash chain and cannot be verified.", verified.outside));
    }
    lines.join("\n") + "\n"
}
