//! `[tokens]`

use super::{
    settings_macro::settings,
    units::{BoundedDuration, HOUR, SECOND},
};

settings! {
    /// Access tokens.
    pub struct Tokens as "tokens" {
        /// The audience (`aud`) of access tokens. If unset, the value of `server.public_url`.
        audience: Option<String> = "",
        /// The `client_id` of access tokens.
        client_id: String = "vestibule",
        /// How long an access token is valid.
        access_lifetime: BoundedDuration<{ 30 * SECOND }, HOUR> = "10m",
    }
}
