//! Prepares what the binary embeds: Swagger UI's files, out of the crate that carries them, and what `--version` shows.

use std::{
    env,
    error::Error,
    fs,
    io::Cursor,
    path::{Path, PathBuf},
    process::Command,
};

use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;

/// The files that the documentation page loads.
const FILES: [&str; 2] = ["swagger-ui.css", "swagger-ui-bundle.js"];

/// Names the commit, where the sources are not a Git repository.
const COMMIT_VARIABLE: &str = "VESTIBULE_COMMIT";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    unpack_swagger_ui()?;
    let target = variable("TARGET").ok_or("TARGET is not set")?;
    println!("cargo::rustc-env=BUILD_TARGET={target}");
    println!("cargo::rustc-env=BUILD_COMMIT={}", commit());
    Ok(())
}

fn unpack_swagger_ui() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(variable("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let mut archive = zip::ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    for file in FILES {
        let suffix = format!("/dist/{file}");
        let entry = archive
            .file_names()
            .filter_map(|name| Some(name.ok()?.into_owned()))
            .find(|name| name.ends_with(&suffix))
            .ok_or_else(|| format!("Swagger UI's archive has no {file}"))?;
        let mut target = fs::File::create(out.join(file))?;
        std::io::copy(&mut archive.by_name(&entry)?, &mut target)?;
    }
    Ok(())
}

/// Returns the commit of the sources, from the environment or from Git, or `unknown commit`.
fn commit() -> String {
    println!("cargo::rerun-if-env-changed={COMMIT_VARIABLE}");
    if let Some(commit) = variable(COMMIT_VARIABLE) {
        return commit;
    }
    // The file changes with each commit and checkout. Cargo would run this script each time if it did not exist.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists()) {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown commit".to_owned())
}

/// Returns what Git prints, if the sources are the root of a Git repository.
fn git(arguments: &[&str]) -> Option<String> {
    if !Path::new(".git").exists() {
        return None;
    }
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

#[expect(clippy::disallowed_methods, reason = "Cargo passes values to a build script in variables")]
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
