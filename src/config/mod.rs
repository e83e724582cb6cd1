//! The settings of the service: declared once, read from `vestibule.toml` and the environment, validated before the
//! start.

mod audit;
mod database;
mod database_url;
mod declaration;
mod docs;
mod error;
mod header_name;
mod http_url;
mod keys;
mod limits;
mod log;
mod metrics;
mod origin;
mod passwords;
mod reference;
mod registration;
mod root;
mod server;
mod service_link;
mod sessions;
mod settings_macro;
mod shown;
mod source;
mod tls;
mod tokens;
mod traces;
mod units;
mod value;

pub use self::{
    audit::Audit,
    database::Database,
    database_url::DatabaseUrl,
    declaration::Declaration,
    docs::Docs,
    error::{ConfigError, label, variable},
    header_name::HeaderName,
    http_url::HttpUrl,
    keys::Keys,
    limits::Limits,
    log::Log,
    metrics::Metrics,
    origin::Origin,
    passwords::Passwords,
    reference::{markdown_reference, toml_example},
    registration::Registration,
    root::{Config, EffectiveSetting},
    server::{ProxyNetwork, Server},
    sessions::Sessions,
    source::DEFAULT_FILE,
    tls::Tls,
    tokens::Tokens,
    traces::Traces,
    units::{BoundedDuration, Size},
    value::Count,
};
