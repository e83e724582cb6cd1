//! Reading: the file and the environment into typed settings, strictly, and errors that name the setting.

use std::{
    collections::{BTreeSet, HashMap},
    env,
    ffi::OsString,
    fmt,
    marker::PhantomData,
    path::Path,
    str::FromStr,
};

use config::{Environment, File, FileFormat, Source};
use serde::{
    Deserializer,
    de::{self, DeserializeOwned, SeqAccess, Visitor},
};

use super::{ConfigError, DEFAULT_FILE};

/// The prefix of every environment variable that is a setting.
pub(super) const PREFIX: &str = "VESTIBULE";

/// The settings of the file, if `file` names one or [`DEFAULT_FILE`] exists, and of the environment, which wins.
pub(super) fn sources<T: DeserializeOwned>(file: Option<&Path>) -> Result<T, ConfigError> {
    let file = match file {
        Some(path) => File::from(path).format(FileFormat::Toml).required(true),
        None => File::new(DEFAULT_FILE, FileFormat::Toml).required(false),
    };
    settings(file, variables()?)
}

/// The settings of a file and of variables, which win.
pub(super) fn settings<T: DeserializeOwned>(
    file: impl Source + Send + Sync + 'static,
    variables: HashMap<String, String>,
) -> Result<T, ConfigError> {
    check_names(variables.keys())?;
    let environment = Environment::with_prefix(PREFIX).prefix_separator("_").separator("__").source(Some(variables));
    let settings = config::Config::builder().add_source(file).add_source(environment).build();
    settings.and_then(config::Config::try_deserialize).map_err(|error| explain(&error))
}

#[expect(clippy::disallowed_methods, reason = "the one reader of the environment")]
fn variables() -> Result<HashMap<String, String>, ConfigError> {
    let readable = |(name, value): (OsString, OsString)| {
        let name = name.into_string().ok().filter(|name| name.starts_with(&format!("{PREFIX}_")))?;
        Some(match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(ConfigError::new("", format!("{name}: is not UTF-8"))),
        })
    };
    env::vars_os().filter_map(readable).collect()
}

/// Makes sure that no two variables are about one setting, of which either might win: for the library capitals and small
/// letters are the same, dots and brackets lead into a setting, and a section is a setting.
fn check_names<'a>(names: impl Iterator<Item = &'a String>) -> Result<(), ConfigError> {
    let refused = |name: &str, reason: &str| Err(ConfigError::new("", format!("{name}: {reason}")));
    let mut seen = BTreeSet::new();
    for name in names {
        if !name.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'_') {
            return refused(name, "there is no such setting");
        }
        if !seen.insert(name.to_ascii_uppercase()) {
            return refused(name, "is set twice, in capitals and in small letters");
        }
    }
    let section = |name: &&String| {
        seen.range(format!("{name}__")..).next().is_some_and(|next| next.starts_with(&format!("{name}__")))
    };
    match seen.iter().find(section) {
        Some(name) => refused(name, "is a section; each of its settings has a variable of its own"),
        None => Ok(()),
    }
}

/// Takes a value of its own type, or the text of one, which is all that a variable has. Nothing is rounded and no word
/// stands for a number.
struct Strict<T> {
    expected: &'static str,
    value: PhantomData<T>,
}

impl<T: FromStr> Strict<T> {
    fn parse<E: de::Error>(&self, text: &str) -> Result<T, E> {
        text.parse().map_err(|_| E::custom(format!("{text:?} is not {}", self.expected)))
    }
}

impl<T: FromStr> Visitor<'_> for Strict<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<T, E> {
        self.parse(&value.to_string())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
        self.parse(&value.to_string())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
        self.parse(&value.to_string())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<T, E> {
        self.parse(value)
    }
}

/// A whole number.
pub(super) fn number<'de, D: Deserializer<'de>, T: FromStr>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(Strict { expected: "a whole number of this range", value: PhantomData })
}

/// A whole number for a setting that has no fixed default.
pub(super) fn optional_number<'de, D: Deserializer<'de>, T: FromStr>(deserializer: D) -> Result<Option<T>, D::Error> {
    number(deserializer).map(Some)
}

/// `true` or `false`.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    deserializer.deserialize_any(Strict { expected: "true or false", value: PhantomData })
}

/// A text.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct Text;

    impl Visitor<'_> for Text {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }

        fn visit_str<E: de::Error>(self, value: &str) -> Result<String, E> {
            Ok(value.to_owned())
        }
    }

    deserializer.deserialize_any(Text)
}

/// A list in TOML, or its elements with commas between them in a variable.
pub(super) fn list<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct Texts;

    impl<'de> Visitor<'de> for Texts {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of texts")
        }

        fn visit_str<E: de::Error>(self, value: &str) -> Result<Vec<String>, E> {
            Ok(value.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<String>, A::Error> {
            let mut texts = Vec::new();
            while let Some(item) = items.next_element::<String>()? {
                texts.push(item);
            }
            Ok(texts)
        }
    }

    let texts = deserializer.deserialize_any(Texts)?;
    let parse = |text: &String| text.parse().map_err(|error| de::Error::custom(format!("{text:?}: {error}")));
    texts.iter().map(parse).collect()
}

/// An error of the library as the setting and the reason. It never shows a line of the file: a secret may stand there.
fn explain(error: &config::ConfigError) -> ConfigError {
    match error {
        config::ConfigError::At { error, key: Some(key), .. } => {
            let inner = explain(error);
            let key = if inner.key.is_empty() { key.clone() } else { format!("{key}.{}", inner.key) };
            ConfigError::new(key, inner.reason)
        }
        config::ConfigError::Type { key, unexpected, expected, .. } => {
            ConfigError::new(key.clone().unwrap_or_default(), format!("found {unexpected}, expected {expected}"))
        }
        config::ConfigError::FileParse { uri, cause } => {
            let place = uri.as_deref().unwrap_or("the file");
            // The first line of the cause says where; the lines after it show what stands there.
            let first = cause.to_string().lines().next().unwrap_or_default().to_owned();
            ConfigError::new("", format!("{place}: {first}"))
        }
        config::ConfigError::Message(message) => unknown(message),
        other => ConfigError::new("", other),
    }
}

/// A setting that does not exist: its name is in the message alone.
fn unknown(message: &str) -> ConfigError {
    let name = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
    match name {
        Some((name, rest)) => {
            let rest = rest.trim_start_matches(", ");
            let hint = "in a variable two underscores stand between section and name";
            ConfigError::new(name, format!("there is no such setting; {rest} ({hint})"))
        }
        None => ConfigError::new("", message),
    }
}
