//! Values without bounds: truth values, texts, secrets, paths and addresses.

use std::{net::SocketAddr, path::PathBuf};

use secrecy::SecretString;

use super::value_type::{Notation, Value};

/// What is shown in the place of a secret.
pub(crate) const REDACTED: &str = "***";

impl Value for bool {
    const NOTATION: Notation = Notation::Bare;

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("{text:?} is neither true nor false"))
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn describe() -> String {
        "`true` or `false`".to_owned()
    }
}

impl Value for String {
    const NOTATION: Notation = Notation::Quoted;

    fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() { Err("must not be blank".to_owned()) } else { Ok(text.to_owned()) }
    }

    fn show(&self) -> String {
        self.clone()
    }

    fn describe() -> String {
        "a text".to_owned()
    }
}

impl Value for SecretString {
    const NOTATION: Notation = Notation::Quoted;

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.into())
    }

    fn show(&self) -> String {
        REDACTED.to_owned()
    }

    fn describe() -> String {
        "a secret".to_owned()
    }
}

impl Value for PathBuf {
    const NOTATION: Notation = Notation::Quoted;

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.into())
    }

    fn show(&self) -> String {
        self.display().to_string()
    }

    fn describe() -> String {
        "the path of a file".to_owned()
    }
}

impl Value for SocketAddr {
    const NOTATION: Notation = Notation::Quoted;

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("{text:?} is not an IP address with a port; write one such as 127.0.0.1:5000"))
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn describe() -> String {
        "an IP address with a port".to_owned()
    }
}
