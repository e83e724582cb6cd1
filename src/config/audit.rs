//! `[audit]`

use super::{
    settings_macro::settings,
    units::{BoundedDuration, DAY},
};

settings! {
    /// The audit log.
    pub struct Audit as "audit" {
        /// How long audit events are kept.
        retention: BoundedDuration<DAY, { 4000 * DAY }> = "400d",
    }
}
