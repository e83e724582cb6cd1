//! SQLite files that are moved, deleted or replaced under a running server.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::support::process::{Deployment, Server, ServiceClient, vestibule};

async fn assert_refuses(server: &ServiceClient) {
    server.get("/health/ready").send().await.is_problem(503, "not_ready");
    server.register("late").await.is_problem(503, "unavailable");
    assert_eq!(server.get("/health/live").send().await.status, 200);
    assert_eq!(server.get("/.well-known/jwks.json").send().await.status, 200);
}

async fn assert_works(server: &ServiceClient, name: &str) {
    assert_eq!(server.get("/health/ready").send().await.status, 200);
    assert_eq!(server.register(name).await.status, 201);
}

/// Replaces a file by a copy of itself.
fn replace(file: &Path) {
    let copy = file.with_extension("copy");
    fs::copy(file, &copy).unwrap();
    fs::rename(copy, file).unwrap();
}

#[apply(trial)]
#[on(SQLite)]
async fn writes_to_a_moved_database_are_refused_until_it_is_back() {
    for file in ["vestibule.db", "vestibule.db-wal", "vestibule.db-shm"] {
        let folder = TempDir::new().unwrap();
        let server = Server::start(vestibule(&folder));
        assert_works(&server, "john").await;
        let (place, elsewhere) = (folder.path().join(file), folder.path().join("elsewhere"));
        fs::rename(&place, &elsewhere).unwrap();
        assert_refuses(&server).await;
        fs::rename(&elsewhere, &place).unwrap();
        assert_works(&server, "jane").await;
    }
}

#[apply(trial)]
#[on(SQLite)]
async fn writes_to_a_deleted_or_replaced_database_are_refused() {
    let faults: [fn(&Path); 2] = [|file| fs::remove_file(file).unwrap(), replace];
    for fault in faults {
        for file in ["vestibule.db", "vestibule.db-wal", "vestibule.db-shm"] {
            let folder = TempDir::new().unwrap();
            let server = Server::start(vestibule(&folder));
            assert_works(&server, "john").await;
            fault(&folder.path().join(file));
            assert_refuses(&server).await;
        }
    }
}

#[apply(trial)]
#[on(SQLite)]
async fn writes_are_refused_after_a_link_or_the_folder_leads_elsewhere() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("data")).unwrap();
    symlink(path("data/target.db"), path("link.db")).unwrap();
    fs::write(path("data/target.db"), "").unwrap();
    let mut command = vestibule(&folder);
    command.env("VESTIBULE_DATABASE__URL", "sqlite://link.db");
    let server = Server::start(command);
    assert_works(&server, "john").await;

    fs::remove_file(path("link.db")).unwrap();
    symlink(path("data/other.db"), path("link.db")).unwrap();
    fs::copy(path("data/target.db"), path("data/other.db")).unwrap();
    assert_refuses(&server).await;
    fs::remove_file(path("link.db")).unwrap();
    symlink(path("data/target.db"), path("link.db")).unwrap();
    assert_works(&server, "jane").await;

    fs::rename(path("data"), path("away")).unwrap();
    fs::create_dir(path("data")).unwrap();
    assert_refuses(&server).await;
    fs::remove_dir(path("data")).unwrap();
    fs::rename(path("away"), path("data")).unwrap();
    assert_works(&server, "jack").await;
}

#[apply(trial)]
#[on(SQLite)]
async fn moved_database_is_logged_as_an_error_and_so_is_its_return() {
    let deployment = Deployment::new().await;
    let server = Server::start(deployment.command());
    let file = deployment.url.strip_prefix("sqlite://").unwrap().to_owned();
    let elsewhere = format!("{file}.elsewhere");
    let logged = async |part: &str| {
        let begun = Instant::now();
        while !deployment.logs().contains(part) {
            assert!(begun.elapsed() < Duration::from_secs(20), "{part}: {}", deployment.logs());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    fs::rename(&file, &elsewhere).unwrap();
    logged("a file of the database was moved, deleted or replaced").await;
    logged("put the same file back").await;
    fs::rename(&elsewhere, &file).unwrap();
    logged("the files of the database are in place again").await;
    assert_works(&server, "john").await;
    let logs = deployment.logs();
    assert_eq!(logs.matches("a file of the database was moved, deleted or replaced").count(), 1, "{logs}");
}
