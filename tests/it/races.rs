//! Races between two running instances on one database. Each test adds a row to the results table. The suffix of a test
//! name is the ID of the security check that it covers.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use migration::{Migrator, MigratorTrait as _};
use sea_orm::{ConnectionTrait as _, EntityTrait as _, PaginatorTrait as _};
use vestibule::entity::{session, user};

use crate::support::{
    app::{Tokens, misuse_events},
    client::TestResponse,
    process::{Deployment, Server},
    results::ResultRow,
    rounds,
};

const CALLERS: usize = 50;

/// Adds the result of a race to the table.
fn write_result(
    id: &'static str,
    scenario: &'static str,
    rounds: usize,
    wrongly_accepted: Option<usize>,
    notes: String,
) {
    ResultRow { id, scenario, rounds, wrongly_accepted, notes, ..ResultRow::default() }.write();
}

/// Sends a refresh token many times at once, to the instances in turn.
async fn refresh_in_parallel(servers: &[Server; 2], token: &str) -> Vec<TestResponse> {
    join_all((0..CALLERS).map(|number| servers[number % 2].refresh(token))).await
}

#[apply(trial)]
async fn one_token_has_one_successor_s36() {
    let deployment = Deployment::new().await;
    let servers = deployment.start_servers::<2>();
    servers[0].register("john").await;
    let db = deployment.connect().await;
    let (number, mut winners, mut forced_logouts) = (rounds(5, 200), 0, 0);
    for _ in 0..number {
        let first = servers[0].sign_in("john").await;
        let responses = refresh_in_parallel(&servers, &first.refresh).await;
        forced_logouts += responses.iter().filter(|response| response.status != 200).count();
        let successors: BTreeSet<_> = responses.iter().map(|response| Tokens::of(response).refresh).collect();
        winners += successors.len();
        let row = session::Entity::find().one(&db).await.unwrap().unwrap();
        assert_eq!(
            (row.counter, session::Entity::find().count(&db).await.unwrap()),
            (2, 1),
            "the session must have one successor"
        );
        for response in &responses {
            forced_logouts += usize::from(!servers[1].accepts(&Tokens::of(response)).await);
        }
        let next = servers[1].refresh(successors.first().unwrap()).await;
        forced_logouts += usize::from(next.status != 200);
        let logout = servers[0].call("POST", "/logout").bearer(&Tokens::of(&next).access).send().await;
        assert_eq!(logout.status, 204);
    }
    let notes = format!("{CALLERS} callers; {winners} successors, {forced_logouts} forced logouts");
    write_result("R15", "parallel refreshes of one token", number, None, notes);
    assert_eq!((winners, forced_logouts), (number, 0));
    assert_eq!(misuse_events(&db).await.len(), 0);
}

#[apply(trial)]
async fn replay_after_a_crash_ends_the_session_s34_s38() {
    let deployment = Deployment::new().await;
    let mut servers = deployment.start_servers::<2>();
    servers[0].register("john").await;
    let db = deployment.connect().await;
    let (number, mut accepted, mut survivors) = (rounds(2, 20), 0, 0);
    for round in 1..=number {
        let bystander = servers[1].sign_in("john").await;
        let a = servers[0].sign_in("john").await;
        let b = Tokens::of(&servers[0].refresh(&a.refresh).await);
        let c = Tokens::of(&servers[1].refresh(&b.refresh).await);
        servers.into_iter().for_each(Server::kill);
        servers = deployment.start_servers::<2>();
        let replays = refresh_in_parallel(&servers, &a.refresh).await;
        accepted += replays.iter().filter(|response| response.status != 401).count();
        survivors += usize::from(servers[0].refresh(&c.refresh).await.status != 401);
        survivors += usize::from(servers[1].accepts(&c).await);
        assert!(servers[0].accepts(&bystander).await, "another session of the user must continue");
        let events = misuse_events(&db).await;
        assert_eq!(events.len(), round, "all replays must record one event");
        assert!(events.iter().all(|event| event.kind == "refresh_token_reused"));
    }
    let replays = number * CALLERS;
    let notes = format!("{replays} replays, {survivors} sessions survived");
    write_result("R15", "replays of an old token after kill -9", number, Some(accepted), notes);
    assert_eq!((accepted, survivors), (0, 0));
}

#[apply(trial)]
async fn revoked_sessions_end_even_while_they_are_refreshed_s40() {
    let deployment = Deployment::new().await;
    let servers = deployment.start_servers::<2>();
    servers[0].register("john").await;
    let (number, mut statuses, mut survivors) = (rounds(3, 100), BTreeMap::<u16, usize>::new(), 0);
    for _ in 0..number {
        let mut ended = Vec::new();
        for place in 0..8 {
            ended.push(servers[place % 2].sign_in("john").await);
        }
        let kept = servers[0].sign_in("john").await;
        let renewals = join_all((0..32).map(|place| servers[place % 2].refresh(&ended[place % 8].refresh)));
        let endings =
            join_all((0..4).map(|place| servers[place % 2].call("DELETE", "/me/sessions").bearer(&kept.access).send()));
        let (renewed, endings) = futures_util::future::join(renewals, endings).await;
        for response in renewed.iter().chain(&endings) {
            *statuses.entry(response.status).or_default() += 1;
        }
        let renewed = renewed.iter().filter(|response| response.status == 200).map(Tokens::of);
        for tokens in renewed.chain(ended) {
            survivors += usize::from(servers[1].accepts(&tokens).await);
            survivors += usize::from(servers[0].refresh(&tokens.refresh).await.status != 401);
        }
        assert!(servers[1].accepts(&kept).await);
    }
    write_result(
        "R15",
        "sessions revoked while they are refreshed",
        number,
        Some(survivors),
        format!("responses {statuses:?}"),
    );
    assert!(statuses.keys().all(|status| matches!(status, 200 | 204 | 401)), "{statuses:?}");
    assert_eq!(survivors, 0);
}

#[apply(trial)]
async fn one_name_is_registered_only_once() {
    let deployment = Deployment::new().await;
    let servers = deployment.start_servers::<2>();
    let db = deployment.connect().await;
    let (number, mut winners, mut statuses) = (rounds(2, 100), 0, BTreeMap::<u16, usize>::new());
    for round in 0..number {
        let names = ["J\u{f6}hn", "J\u{d6}HN", "j\u{f6}hn", "j\u{d6}hn"].map(|name| format!("{name}{round}"));
        let tries = (0..64).map(|place| servers[place % 2].register(&names[place % 4]));
        for response in join_all(tries).await {
            winners += usize::from(response.status == 201);
            *statuses.entry(response.status).or_default() += 1;
        }
    }
    let notes = format!("64 callers, four spellings; {winners} winners, responses {statuses:?}");
    write_result("R13", "parallel registrations of one name", number, None, notes);
    assert!(statuses.keys().all(|status| matches!(status, 201 | 409)), "{statuses:?}");
    assert_eq!(winners, number);
    assert_eq!(user::Entity::find().count(&db).await.unwrap(), number as u64);
}

/// Starts five instances at once and asserts that all of them serve. Returns how many migrated.
async fn start_five(deployment: &Deployment, name: &str) -> usize {
    let servers = deployment.start_servers::<5>();
    servers[0].register(name).await;
    for server in &servers {
        let tokens = server.sign_in(name).await;
        assert!(servers[0].accepts(&tokens).await, "the instances share their keys");
    }
    drop(servers);
    let logs = deployment.logs();
    assert!(!logs.contains("\"level\":\"WARN\"") && !logs.contains("\"level\":\"ERROR\""), "{logs}");
    logs.matches("migrated the database to the current schema").count()
}

#[apply(trial)]
async fn five_instances_start_at_once_on_an_empty_database() {
    let number = rounds(1, 20);
    for _ in 0..number {
        let deployment = Deployment::new().await;
        assert_eq!(start_five(&deployment, "john").await, 1, "exactly one must migrate");
    }
    let notes = format!("migrations: {number}, failures: 0");
    write_result("R9", "five instances start at once on an empty database", number, None, notes);
}

#[apply(trial)]
async fn five_instances_start_at_once_on_an_older_schema() {
    let number = rounds(1, 20);
    for _ in 0..number {
        let deployment = Deployment::new().await;
        let db = deployment.connect().await;
        Migrator::up(&db, Some(2)).await.unwrap();
        let backend = db.get_database_backend();
        let quote = if backend == sea_orm::DatabaseBackend::MySql { "`" } else { "\"" };
        let id = if backend == sea_orm::DatabaseBackend::Postgres {
            "'00000000-0000-4000-8000-000000000001'"
        } else {
            "x'00000000000040008000000000000001'"
        };
        let jane =
            format!("INSERT INTO {quote}user{quote} VALUES ({id}, 'jane', 'jane', '$argon2id$', 'active', 1, 1)");
        db.execute_unprepared(&jane).await.unwrap();
        assert_eq!(start_five(&deployment, "john").await, 1, "exactly one must migrate");
        let names: Vec<_> =
            user::Entity::find().all(&db).await.unwrap().into_iter().map(|user| user.username).collect();
        assert!(names.iter().any(|name| name == "jane"), "the existing user must remain");
    }
    let notes = format!("migrations: {number}, failures: 0");
    write_result("R9", "five instances start at once on an older schema", number, None, notes);
}
