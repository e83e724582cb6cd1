//! Unpacks Swagger UI's files out of the crate that carries them, so that the binary can embed them.

use std::{env, error::Error, fs, io::Cursor, path::PathBuf};

use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;

/// The files that the documentation page loads.
const FILES: [&str; 2] = ["swagger-ui.css", "swagger-ui-bundle.js"];

#[expect(clippy::disallowed_methods, reason = "Cargo tells a build script by variables")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
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
