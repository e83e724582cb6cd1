//! `[docs]`

use super::settings_macro::settings;

settings! {
    /// The API documentation.
    pub struct Docs as "docs" {
        /// Whether the server serves `/docs`, `/openapi.json` and `/openapi.yaml`.
        enabled: bool = "true",
    }
}
