//! The settings of the service: declared once, read from `vestibule.toml` and the environment, checked before the start.

mod audit;
mod database;
mod declare;
mod docs;
mod error;
mod keys;
mod limits;
mod log;
mod metrics;
mod passwords;
mod reference;
mod registration;
mod root;
mod server;
mod sessions;
mod source;
mod tls;
mod tokens;
mod traces;
mod value;

pub use self::{
    audit::Audit,
    database::{Database, DatabaseUrl},
    declare::{Declaration, SectionDeclaration},
    docs::Docs,
    error::{ConfigError, variable},
    keys::Keys,
    limits::Limits,
    log::{Log, LogFilter},
    metrics::Metrics,
    passwords::Passwords,
    reference::{markdown_reference, toml_example, toml_value},
    registration::Registration,
    root::{Config, EffectiveSetting},
    server::{Origin, ProxyNetwork, Server},
    sessions::Sessions,
    source::{DEFAULT_FILE, RawSettings, Source},
    tls::Tls,
    tokens::Tokens,
    traces::Traces,
    value::{BoundedDuration, Count, HttpUrl, Notation, Size, Value},
};
