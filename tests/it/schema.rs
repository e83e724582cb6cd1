//! The schema: migrations, and a row of each table through its entity.

use migration::{Migrator, MigratorTrait as _};
use sea_orm::{ConnectionTrait as _, EntityTrait as _};
use tempfile::TempDir;
use vestibule::{
    entity::{job, sealed_key, session, user},
    jobs::run_cleanup,
    store,
};

use crate::support::{self, TestApp};

#[apply(trial)]
async fn migrations_run_up_down_and_up() {
    let folder = TempDir::new().unwrap();
    let url = support::database::create(&folder).await.into();
    let db = store::connect(&url, 1).await.unwrap();
    assert!(Migrator::get_pending_migrations(&db).await.unwrap().is_empty());
    Migrator::down(&db, None).await.unwrap();
    assert!(user::Entity::find().all(&db).await.is_err(), "the tables must be dropped");
    store::migrate(&url).await.unwrap();
    assert!(user::Entity::find().all(&db).await.unwrap().is_empty());
}

#[apply(trial)]
async fn simultaneous_migrations_all_succeed() {
    let folder = TempDir::new().unwrap();
    let url = support::database::create(&folder).await.into();
    let db = store::connect(&url, 1).await.unwrap();
    Migrator::down(&db, None).await.unwrap();
    db.execute_unprepared("DROP TABLE seaql_migrations").await.unwrap();
    db.close().await.unwrap();
    let runs = (0..5).map(|_| store::migrate(&url));
    for outcome in futures_util::future::join_all(runs).await {
        outcome.unwrap();
    }
}

/// MySQL commits each DDL statement immediately, so an interrupted migration leaves part of its changes.
#[apply(trial)]
async fn interrupted_migration_is_completed() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let tokens = app.sign_in("john", "my_password").await;
    for undone in ["DROP TABLE job", "DROP TABLE known_network"] {
        app.sql(undone).await;
        app.sql("DELETE FROM seaql_migrations WHERE version LIKE '%_jobs' OR version LIKE '%_rate_limits'").await;
        store::migrate(app.config.database.url.secret()).await.unwrap();
    }
    let next = app.start_instance().await;
    assert!(next.accepts(&tokens.access).await);
    assert_eq!(next.refresh(&tokens.refresh).await.status, 200);
    run_cleanup(&next.app).await.unwrap();
}

#[apply(trial)]
async fn every_entity_reads_its_row() {
    let app = TestApp::new().await;
    let john = app.create_user("John", "my_password").await;
    app.access_token("john", "my_password").await;
    let user = user::Entity::find().one(&app.app.db).await.unwrap().unwrap();
    assert_eq!((user.id, user.username.as_str(), user.username_canonical.as_str()), (john.id, "John", "john"));
    let session = session::Entity::find().one(&app.app.db).await.unwrap().unwrap();
    assert_eq!((session.user_id, session.client_ip.as_str()), (john.id, "127.0.0.1"));
    assert_eq!(session.created_at, app.app.clock.now());
    assert_eq!((session.counter, session.rotated_at), (1, app.app.clock.now()));
    for purpose in [sealed_key::Purpose::Signing, sealed_key::Purpose::Refresh] {
        let key = sealed_key::Entity::keys_of(purpose).one(&app.app.db).await.unwrap().unwrap();
        assert_eq!((key.purpose, key.generation), (purpose, 1));
    }
    run_cleanup(&app.app).await.unwrap();
    let job = job::Entity::by_name("cleanup").one(&app.app.db).await.unwrap().unwrap();
    assert_eq!(job.due_at, app.app.clock.now() + std::time::Duration::from_mins(5));
}

#[apply(trial)]
async fn unreadable_row_affects_only_its_user() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    app.create_user("jane", "my_password").await;
    app.sql("UPDATE \"user\" SET state = 'odd' WHERE username = 'john'").await;
    let body = serde_json::json!({ "username": "john", "password": "my_password" });
    app.post("/login").json(&body).send().await.is_problem(500, "internal");
    app.access_token("jane", "my_password").await;
}
