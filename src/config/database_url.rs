//! The URL of a database. Messages never show a URL that may be misread, because a part of its password could then be
//! taken for the host or the database.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::value::{REDACTED, SettingValue};
use crate::store::DatabaseAddress;

/// What to do if a password is hard to write in a URL.
const ALTERNATIVE: &str = "or set database.engine, database.host, database.username, database.password and \
                           database.name, which need no encoding";

/// The options of a PostgreSQL URL. The driver logs the value of any other option, which may be a part of a password.
const POSTGRES_OPTIONS: [&str; 17] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
];
/// The options of a MariaDB URL.
const MYSQL_OPTIONS: [&str; 14] = [
    "sslmode",
    "ssl-mode",
    "sslca",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "charset",
    "collation",
    "statement-cache-capacity",
    "socket",
    "timezone",
    "time-zone",
];
/// The options that name files.
const FILE_OPTIONS: [&str; 8] =
    ["sslrootcert", "ssl-root-cert", "ssl-ca", "sslca", "sslcert", "ssl-cert", "sslkey", "ssl-key"];

/// The URL of a database, which may contain a password.
#[derive(Clone, Debug)]
pub struct DatabaseUrl {
    url: SecretString,
    /// Whether `database.host` and the settings next to it describe the database, so that `database.url` is unset.
    is_composed: bool,
}

impl DatabaseUrl {
    /// Returns the whole URL, as the driver reads it.
    pub const fn secret(&self) -> &SecretString {
        &self.url
    }

    /// Returns whether the URL contains a password, in its user part or in an option.
    pub fn has_password(&self) -> bool {
        self.file().is_none()
            && self
                .parsed()
                .is_some_and(|url| url.password().is_some() || url.query_pairs().any(|(name, _)| is_password(&name)))
    }

    /// Returns the same URL, marked as composed of several settings.
    pub(super) fn composed(self) -> Self {
        Self { is_composed: true, ..self }
    }

    /// Returns the file of an SQLite database.
    pub(super) fn file(&self) -> Option<&str> {
        sqlite_file(self.url.expose_secret())
    }

    /// Returns the address of a network database.
    pub(super) fn address(&self) -> Option<DatabaseAddress> {
        if self.file().is_some() { None } else { DatabaseAddress::parse(self.url.expose_secret()) }
    }

    /// Returns the scheme of the URL of a network database, as the driver knows it: `postgres` or `mysql`.
    pub(super) fn scheme(&self) -> &str {
        self.url.expose_secret().split_once(':').map_or("", |(scheme, _)| scheme)
    }

    /// Returns the files that options name, such as the certificate of the server's authority. An option may also
    /// contain the certificate itself.
    pub(super) fn option_files(&self) -> Vec<String> {
        let Some(url) = self.parsed().filter(|_| self.file().is_none()) else { return Vec::new() };
        let files = url.query_pairs().filter(|(name, _)| FILE_OPTIONS.contains(&name.as_ref()));
        files.map(|(_, value)| value.into_owned()).filter(|value| !value.contains("-----BEGIN")).collect()
    }

    fn parsed(&self) -> Option<Url> {
        Url::parse(self.url.expose_secret()).ok()
    }
}

fn is_password(option: &str) -> bool {
    option.to_ascii_lowercase().contains("pass")
}

fn sqlite_file(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("sqlite:")?;
    Some(rest.strip_prefix("//").unwrap_or(rest))
}

/// Errors never contain the URL of a network database.
impl SettingValue for DatabaseUrl {
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once(':').unwrap_or((text, ""));
        let url = match (scheme, rest.strip_prefix("//")) {
            ("sqlite", _) => check_sqlite(text)?,
            ("postgres" | "postgresql", Some(rest)) => network_url("postgres", rest, &POSTGRES_OPTIONS)?,
            ("mysql" | "mariadb", Some(rest)) => network_url("mysql", rest, &MYSQL_OPTIONS)?,
            ("postgres" | "postgresql" | "mysql" | "mariadb", None) => {
                return Err(format!("must begin with {scheme}://; write {scheme}://USER:PASSWORD@HOST/NAME"));
            }
            _ => return Err("must begin with sqlite://, postgres:// or mariadb://".to_owned()),
        };
        Ok(Self { url: url.into(), is_composed: false })
    }

    fn is_secret(text: &str) -> bool {
        sqlite_file(text).is_none()
    }

    fn to_toml(&self) -> toml::Value {
        match self.parsed() {
            _ if self.is_composed => "".into(),
            Some(_) if !self.has_password() => self.url.expose_secret().into(),
            Some(url) => redact_passwords(url).unwrap_or_else(|| REDACTED.to_owned()).into(),
            None => REDACTED.into(),
        }
    }

    fn expected() -> String {
        "the URL of a database".to_owned()
    }
}

/// Checks that the URL of an SQLite database names a file. The driver would interpret options and percent signs.
fn check_sqlite(text: &str) -> Result<String, String> {
    let Some(file) = sqlite_file(text).filter(|file| !file.is_empty() && !file.contains(['?', '%', ':'])) else {
        return Err(
            "must name a file, without \"?\", \"%\" or \":\"; write one such as sqlite://vestibule.db".to_owned()
        );
    };
    if file.contains(char::is_control) || file.trim() != file {
        return Err("must not contain line breaks or white space at its ends; remove them".to_owned());
    }
    Ok(text.to_owned())
}

/// Returns the URL of a network database with the scheme that the driver knows. `rest` follows `scheme://`.
fn network_url(scheme: &str, rest: &str, options: &[&str]) -> Result<String, String> {
    check_characters(rest)?;
    let has_user_without_host = rest.contains("@/") || rest.contains("@?") || rest.ends_with('@');
    // The parser of the driver accepts a user only if a host follows. The option `host` or `socket` then replaces it.
    let rest = if has_user_without_host { rest.replacen('@', "@localhost", 1) } else { rest.to_owned() };
    let url = format!("{scheme}://{rest}");

    let unreadable = || format!("is not a valid URL; write {scheme}://USER:PASSWORD@HOST:PORT/NAME, {ALTERNATIVE}");
    let parsed = Url::parse(&url).map_err(|_| unreadable())?;
    check_options(scheme, &parsed, options)?;
    let address = DatabaseAddress::parse(&url).ok_or_else(unreadable)?;
    if address.database.is_none() {
        return Err(format!("must name a database; write {scheme}://USER:PASSWORD@HOST/NAME"));
    }
    Ok(url)
}

/// Checks that every character before the last `@` and after it stands for itself. A parser would end the password at
/// the first `/`, `?` or `#`, and take the rest of it for the host or the database.
fn check_characters(rest: &str) -> Result<(), String> {
    let (user, address) = rest.rsplit_once('@').unwrap_or(("", rest));
    if let Some(letter) = user.chars().find(|letter| is_reserved(*letter)) {
        let also =
            if matches!(letter, '/' | '?') { ", or the last \"@\" as %40 if it belongs to an option" } else { "" };
        return Err(format!(
            "contains a raw {letter:?} in the username or password; write it as {}{also}, {ALTERNATIVE}",
            percent_encoded(letter)
        ));
    }
    if let Some(letter) = address.chars().find(|letter| *letter == '#' || is_space(*letter)) {
        return Err(format!("contains a raw {letter:?}; write it as {}, {ALTERNATIVE}", percent_encoded(letter)));
    }
    let is_encoding = |part: &str| {
        part.split_at_checked(2).is_some_and(|(digits, _)| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
    };
    if !rest.split('%').skip(1).all(is_encoding) {
        return Err(format!(
            "contains a \"%\" that does not begin a percent-encoded character; write it as %25, {ALTERNATIVE}"
        ));
    }
    if percent_decode_str(rest).decode_utf8().is_err() {
        return Err(format!(
            "contains percent-encoded bytes that are not UTF-8; percent-encode the text as UTF-8, {ALTERNATIVE}"
        ));
    }
    Ok(())
}

/// Returns whether a character has a meaning in a URL and must be percent-encoded in a username or password.
fn is_reserved(letter: char) -> bool {
    matches!(letter, '@' | '/' | '?' | '#' | '[' | ']' | '\\') || is_space(letter)
}

fn is_space(letter: char) -> bool {
    letter.is_whitespace() || letter.is_control()
}

fn percent_encoded(letter: char) -> String {
    utf8_percent_encode(&letter.to_string(), NON_ALPHANUMERIC).to_string()
}

/// Checks that the driver knows every option and accepts its value. The name of an unknown option is not shown, because
/// it may be a part of a password with a raw `&`.
fn check_options(scheme: &str, url: &Url, known: &[&str]) -> Result<(), String> {
    for (name, value) in url.query_pairs() {
        let is_server_option = scheme == "postgres" && (name == "options" || name.starts_with("options["));
        if !is_server_option && !known.contains(&name.as_ref()) {
            return Err(format!(
                "has an option that the driver does not know; the options are {}. A \"?\" or \"&\" in a password must be \
                 written as %3F or %26",
                known.join(", ")
            ));
        }
        let mut alone = Url::parse(&format!("{scheme}://localhost/name")).map_err(|error| error.to_string())?;
        alone.query_pairs_mut().append_pair(&name, &value);
        if DatabaseAddress::parse(alone.as_str()).is_none() {
            return Err(format!("has an invalid value of the option {name}; correct it"));
        }
    }
    Ok(())
}

/// Redacts the password and every option that may be one.
fn redact_passwords(mut url: Url) -> Option<String> {
    if url.password().is_some() {
        url.set_password(Some(REDACTED)).ok()?;
    }
    let redact = |(name, value): (String, String)| {
        let value = if is_password(&name) { REDACTED.to_owned() } else { value };
        (name, value)
    };
    let options: Vec<_> = url.query_pairs().into_owned().map(redact).collect();
    if !options.is_empty() {
        url.query_pairs_mut().clear().extend_pairs(options);
    }
    Some(url.into())
}
