//! The master key and the keys that it seals.

use std::{fs, os::unix::fs::PermissionsExt as _, sync::Arc};

use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, EntityTrait as _, IntoActiveModel as _};
use tempfile::TempDir;
use vestibule::{
    clock::Clock,
    config::Config,
    domain::{admin::reset_keys::reset_keys, crypto::StoredKeys},
    entity::{
        rate_limit,
        sealed_key::{self, Purpose},
    },
    secret::MasterKey,
    secret_file::SecretFileError,
    startup::{self, StartError},
};

use crate::support::{Settings, TestApp, app::write_master_key, forge};

async fn open(config: &Config) -> Result<vestibule::domain::app::App, StartError> {
    startup::open(config, Clock::system(), &Arc::default()).await
}

fn mode(folder: &TempDir, file: &str) -> u32 {
    fs::metadata(folder.path().join(file)).unwrap().permissions().mode() & 0o777
}

#[apply(trial)]
async fn first_start_creates_private_files() {
    let folder = TempDir::new().unwrap();
    let app = open(&Settings::in_folder(&folder).config()).await.unwrap();
    for file in ["vestibule.key", "vestibule.db", "vestibule.db-wal", "vestibule.db-shm"] {
        assert_eq!(mode(&folder, file), 0o600, "{file}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4, "no other file is left behind");
    let settings = [("journal_mode", "wal"), ("synchronous", "2"), ("busy_timeout", "5000"), ("foreign_keys", "1")];
    for (pragma, expected) in settings {
        assert_eq!(pragma_value(&app, pragma).await, expected, "{pragma}");
    }
}

async fn pragma_value(app: &vestibule::domain::app::App, pragma: &str) -> String {
    use sea_orm::ConnectionTrait as _;
    let column = if pragma == "busy_timeout" { "timeout" } else { pragma };
    let statement = sea_orm::Statement::from_string(app.db.get_database_backend(), format!("PRAGMA {pragma}"));
    let row = app.db.query_one_raw(statement).await.unwrap().unwrap();
    row.try_get::<String>("", column).or_else(|_| row.try_get::<i64>("", column).map(|n| n.to_string())).unwrap()
}

#[apply(trial)]
async fn simultaneous_first_starts_share_one_key() {
    let folder = TempDir::new().unwrap();
    let config = Settings::in_folder(&folder).config();
    let starts = (0..5).map(|_| open(&config));
    let apps = futures_util::future::join_all(starts).await;
    let keys: Vec<_> = apps.iter().map(|app| app.as_ref().unwrap().keyring.current().published.clone()).collect();
    assert!(keys.iter().all(|key| key.len() == 1 && *key == keys[0]), "{keys:?}");
}

#[apply(trial)]
async fn keys_survive_a_restart() {
    let folder = TempDir::new().unwrap();
    let config = Settings::in_folder(&folder).config();
    let first = open(&config).await.unwrap().keyring.current().published.clone();
    let second = open(&config).await.unwrap().keyring.current().published.clone();
    assert_eq!(first, second);
}

#[apply(trial)]
async fn keyring_is_replaced_while_the_service_runs() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    let before = app.sign_in("john", "my_password").await;
    let other = TestApp::new().await;
    let keys = StoredKeys::load(&other.app.db, &other.master_key()).await.unwrap().into_keyring().unwrap();
    let id = keys.published[0].id.to_string();
    app.app.keyring.replace(keys);

    let after = app.sign_in("john", "my_password").await;
    assert_eq!(forge::decode_part(&after.access, 0)["kid"], id);
    assert_eq!(app.get("/.well-known/jwks.json").send().await.body["keys"][0]["kid"], id);
    assert!(app.accepts(&after.access).await && !app.accepts(&before.access).await);
    assert_eq!(app.refresh(&after.refresh).await.status, 200);
    app.refresh(&before.refresh).await.is_problem(401, "invalid_token");
}

#[apply(trial)]
async fn start_fails_if_the_master_key_is_missing() {
    let folder = TempDir::new().unwrap();
    let config = Settings::in_folder(&folder).config();
    drop(open(&config).await.unwrap());
    fs::remove_file(folder.path().join("vestibule.key")).unwrap();
    let error = open(&config).await.unwrap_err();
    assert!(matches!(error, StartError::LostMasterKey(_)), "{error}");
    assert!(!folder.path().join("vestibule.key").exists(), "no new key must replace it");
}

#[apply(trial)]
async fn start_fails_with_another_master_key() {
    let folder = TempDir::new().unwrap();
    let settings = Settings::in_folder(&folder);
    drop(open(&settings.config()).await.unwrap());
    let config = settings.with_master_key(&startup::new_master_key().unwrap().to_text()).config();
    let error = open(&config).await.unwrap_err();
    assert!(matches!(error, StartError::Keyring(_)), "{error}");
}

#[apply(trial)]
async fn start_fails_if_a_sealed_key_is_damaged() {
    let app = TestApp::new().await;
    for purpose in [Purpose::Signing, Purpose::Refresh] {
        let whole = stored_key(&app, purpose).await;
        for damage in [whole.sealed[..40].to_vec(), Vec::new(), vec![0; whole.sealed.len()]] {
            replace_sealed_key(&app, &whole, damage).await;
            let error = open(&app.config).await.unwrap_err();
            assert!(matches!(error, StartError::Keyring(_)), "{error}");
        }
        replace_sealed_key(&app, &whole, whole.sealed.clone()).await;
    }
    let (signing, refresh) = (stored_key(&app, Purpose::Signing).await, stored_key(&app, Purpose::Refresh).await);
    replace_sealed_key(&app, &refresh, signing.sealed).await;
    assert!(matches!(open(&app.config).await, Err(StartError::Keyring(_))), "a key stored under another purpose");
    replace_sealed_key(&app, &refresh, refresh.sealed.clone()).await;
    open(&app.config).await.unwrap();
}

#[apply(trial)]
async fn missing_sealed_key_stops_the_start_and_is_not_replaced() {
    for (purpose, name) in [
        (Purpose::Signing, "signing"),
        (Purpose::Refresh, "refresh"),
        (Purpose::Pseudonym, "pseudonym"),
        (Purpose::Audit, "audit"),
    ] {
        let app = TestApp::new().await;
        app.create_user("john", "my_password").await;
        let tokens = app.sign_in("john", "my_password").await;
        let key = stored_key(&app, purpose).await;
        sealed_key::Entity::delete_by_id(key.id).exec(&app.app.db).await.unwrap();
        // An idle service has no rate limits left, but it still has known networks.
        rate_limit::Entity::delete_many().exec(&app.app.db).await.unwrap();
        let error = open(&app.config).await.unwrap_err();
        assert!(matches!(error, StartError::LostKey(_)), "{error}");
        let text = error.to_string();
        assert!([name, "backup", "vestibule keys reset"].iter().all(|part| text.contains(part)), "{text}");
        assert!(
            sealed_key::Entity::keys_of(purpose).one(&app.app.db).await.unwrap().is_none(),
            "no new key must replace it"
        );
        key.into_active_model().insert(&app.app.db).await.unwrap();
        assert!(
            app.start_instance().await.accepts(&tokens.access).await,
            "the service must work with the restored key"
        );
    }
}

#[apply(trial)]
async fn missing_signing_key_is_not_replaced_even_without_sessions() {
    let app = TestApp::new().await;
    let key = stored_key(&app, Purpose::Signing).await;
    sealed_key::Entity::delete_by_id(key.id).exec(&app.app.db).await.unwrap();
    assert!(matches!(open(&app.config).await, Err(StartError::LostKey(_))));
    reset_keys(&app.app.db, app.app.clock.now()).await.unwrap();
    open(&app.config).await.unwrap();
}

async fn replace_sealed_key(app: &TestApp, key: &sealed_key::Model, sealed: Vec<u8>) {
    let row = sealed_key::ActiveModel { id: Set(key.id), sealed: Set(sealed), ..Default::default() };
    row.update(&app.app.db).await.unwrap();
}

#[apply(trial)]
async fn key_file_readable_by_others_is_rejected() {
    let folder = TempDir::new().unwrap();
    let config = Settings::in_folder(&folder).config();
    drop(open(&config).await.unwrap());
    for loose in [0o640, 0o604, 0o644] {
        let file = folder.path().join("vestibule.key");
        fs::set_permissions(file, fs::Permissions::from_mode(loose)).unwrap();
        let error = open(&config).await.unwrap_err();
        assert!(
            matches!(error, StartError::KeyFile(SecretFileError::Exposed { mode, .. }) if mode == loose),
            "{error}"
        );
    }
}

#[apply(trial)]
async fn weak_and_malformed_keys_are_rejected() {
    let good = startup::new_master_key().unwrap().to_text().to_string();
    assert!(MasterKey::parse(&good).is_ok() && MasterKey::parse(&format!("{good}\n")).is_ok());
    let folder = TempDir::new().unwrap();
    for text in
        ["secret", &good[1..], &format!("{good}A"), &format!("{good}="), &"A".repeat(43), &"QUFB".repeat(11)[..43]]
    {
        let config = Settings::in_folder(&folder).with_master_key(text).config();
        let error = open(&config).await.unwrap_err();
        assert!(matches!(error, StartError::MasterKey { .. }), "{text}: {error}");
        let shown = error.to_string();
        assert!(shown.contains("VESTIBULE_KEYS__MASTER_KEY") && !shown.contains(text), "{shown}");
    }
}

#[apply(trial)]
async fn network_databases_require_a_master_key() {
    let folder = TempDir::new().unwrap();
    let network = Settings::in_folder(&folder).with("database.url", "postgres://user:hunter2@127.0.0.1:1/vestibule");
    let settings = network.with("keys.master_key_file", "");
    let error = open(&settings.config()).await.unwrap_err().to_string();
    assert!(error.contains("vestibule keys generate"), "{error}");
    let config = settings.with_master_key(&startup::new_master_key().unwrap().to_text()).config();
    let error = open(&config).await.unwrap_err().to_string();
    assert!(error.contains("127.0.0.1") && !error.contains("hunter2"), "{error}");
}

#[apply(trial)]
async fn reset_removes_keys_and_sessions_and_keeps_users() {
    let app = TestApp::new().await;
    app.create_user("john", "my_password").await;
    app.access_token("john", "my_password").await;
    assert!(app.count("rate_limit").await > 0);
    write_master_key(&app.folder);
    reset_keys(&app.app.db, app.app.clock.now()).await.unwrap();
    assert_eq!((app.count("user").await, app.count("session").await, app.count("sealed_key").await), (1, 0, 0));
    let again = open(&app.config).await.unwrap();
    assert_ne!(again.keyring.current().published, app.app.keyring.current().published);
}

#[apply(trial)]
async fn private_key_is_not_stored_in_plain_text() {
    let app = TestApp::new().await;
    let bytes = stored_key(&app, Purpose::Signing).await.sealed;
    // Every PKCS#8 key of the service contains the object identifier of the curve.
    let curve = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    assert!(bytes.len() > 100 && !bytes.windows(curve.len()).any(|window| window == curve));
    let sealed = stored_key(&app, Purpose::Refresh).await.sealed;
    let (_, key) = forge::unseal_key(&app, Purpose::Refresh).await;
    assert!(key.len() == 32 && !sealed.windows(8).any(|window| key.windows(8).any(|part| part == window)));
}

async fn stored_key(app: &TestApp, purpose: Purpose) -> sealed_key::Model {
    sealed_key::Entity::keys_of(purpose).one(&app.app.db).await.unwrap().unwrap()
}
