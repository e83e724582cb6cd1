//! A service with keys. Its database is deleted as soon as the keys are loaded, because the targets need none.

use std::{
    env, fs, process,
    sync::{Arc, LazyLock},
};

use tokio::runtime::Runtime;
use vestibule::{
    clock::{Clock, Timestamp},
    config::{self, Config},
    domain::app::App,
    startup,
};

/// 2030-03-17T17:46:40Z, in seconds.
pub(crate) const NOW: i64 = 1_900_000_000;

/// Runs async functions.
pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime starts"));

/// The service, with its clock frozen at [`NOW`].
pub(crate) static APP: LazyLock<App> = LazyLock::new(|| {
    let folder = env::temp_dir().join(format!("vestibule-fuzz-{}", process::id()));
    fs::create_dir(&folder).expect("the temporary folder can be written to");
    let file = |name: &str| folder.join(name).display().to_string();
    let settings = [
        ("database.url", format!("sqlite://{}", file("vestibule.db"))),
        ("keys.master_key_file", file("vestibule.key")),
        ("passwords.weak_hashing_for_tests", "true".to_owned()),
        ("passwords.hash_memory", "8KiB".to_owned()),
        ("passwords.hash_iterations", "1".to_owned()),
        ("passwords.hash_threads", "1".to_owned()),
    ];
    let variables = settings.map(|(key, value)| (config::variable(key), value));
    let config = Config::parse("", variables).expect("the settings can be used");
    let clock = Clock::frozen(Timestamp::from_micros(NOW * 1_000_000));
    let app = RUNTIME.block_on(startup::open_with_retry(&config, &clock, &Arc::default())).expect("the service starts");
    fs::remove_dir_all(&folder).expect("the temporary folder can be removed");
    app
});

/// Returns the time of [`APP`]'s clock.
pub(crate) fn now() -> Timestamp {
    APP.clock.now()
}
