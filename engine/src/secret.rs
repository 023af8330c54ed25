//! Secret values: where they come from, how they appear in plans and state, how they are compared.
//!
//! A desired object never holds a secret. It holds a *placeholder*, the JSON object `{"$secret": expression}`, which names
//! where the value comes from. Values are put in by [`materialize`] at the last moment before a provider is called.
//! What is recorded or compared is a *fingerprint*: `{"$secret": expression, "hmac": "…"}` under a key that stays beside
//! the state; without the key there is no fingerprint and the value is "not comparable here", never "changed".

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::value::{canonical_bytes, hexadecimal};

/// The member that marks a placeholder.
pub const SECRET_MEMBER: &str = "$secret";
/// The member of a placeholder that holds its fingerprint.
pub const HMAC_MEMBER: &str = "hmac";

/// Where a secret value comes from: the name under which it is asked for, never the value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretSource {
    /// An environment variable of the process that applies (`token-env`).
    Environment(String),
    /// A file on the host that applies (`token-file`).
    File(String),
    /// Made once by us and kept in the deployment's secret store (`$generate:hex:32$`).
    Generated {
        /// The deployment whose store keeps it.
        deployment: String,
        /// The `config:` key.
        name: String,
        /// `hex` or `base64`.
        encoding: String,
        /// How many random bytes.
        bytes: u32,
    },
    /// A line of the deployment's config.env that came from a credentials file.
    ConfigEnv {
        /// The deployment whose config.env holds it.
        deployment: String,
        /// The variable.
        name: String,
    },
}

impl SecretSource {
    /// The deployment that keeps the value; `None` for what is the process's or the host's.
    #[must_use]
    pub fn deployment(&self) -> Option<&str> {
        match self {
            Self::Environment(_) | Self::File(_) => None,
            Self::Generated { deployment, .. } | Self::ConfigEnv { deployment, .. } => Some(deployment),
        }
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {path}"),
            Self::Generated { name, .. } => write!(f, "generated value {name}"),
            Self::ConfigEnv { name, .. } => write!(f, "config.env value {name}"),
        }
    }
}

/// How a field's text is made from secret values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretExpression {
    /// The value itself.
    Value(SecretSource),
    /// The value in base64, as a Secret's `data` wants it.
    Base64(SecretSource),
    /// The base64 of a `.dockerconfigjson` document.
    DockerConfig {
        /// The registry host.
        server: String,
        /// The user name.
        username: String,
        /// The token.
        token: SecretSource,
    },
}

impl SecretExpression {
    /// The source the expression needs.
    #[must_use]
    pub const fn source(&self) -> &SecretSource {
        match self {
            Self::Value(source) | Self::Base64(source) | Self::DockerConfig { token: source, .. } => source,
        }
    }

    /// The placeholder that stands for the value in a desired object.
    #[must_use]
    pub fn placeholder(&self) -> Value {
        json!({ SECRET_MEMBER: self })
    }

    /// The field's text.
    #[must_use]
    pub fn evaluate(&self, value: &SecretValue) -> String {
        let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
        match self {
            Self::Value(_) => value.expose().to_owned(),
            Self::Base64(_) => base64(value.expose().as_bytes()),
            Self::DockerConfig { server, username, .. } => {
                let auth = base64(format!("{username}:{}", value.expose()).as_bytes());
                let entry = json!({"username": username, "password": value.expose(), "auth": auth});
                base64(&canonical_bytes(&json!({"auths": {server.as_str(): entry}})))
            }
        }
    }
}

/// A secret's text. Never printed: its `Debug` is a mask and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(String);

impl SecretValue {
    /// Takes a secret in.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the provider's request and for fingerprints only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(sensitive value)")
    }
}

/// The secret values that could be had here.
pub type SecretValues = BTreeMap<SecretSource, SecretValue>;

/// Makes fingerprints under a key that stays beside the state.
#[derive(Clone)]
pub struct Fingerprinter {
    key: [u8; 32],
}

impl fmt::Debug for Fingerprinter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprinter")
    }
}

impl Fingerprinter {
    /// A fingerprinter under a key.
    #[must_use]
    pub const fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// The fingerprint of a field's text.
    #[must_use]
    pub fn fingerprint(&self, text: &str) -> String {
        let mut mac = match Hmac::<Sha256>::new_from_slice(&self.key) {
            Ok(mac) => mac,
            // HMAC takes keys of every length; the type only admits failure for other MACs.
            Err(_) => return String::new(),
        };
        mac.update(text.as_bytes());
        hexadecimal(&mac.finalize().into_bytes())
    }
}

/// The expression of a placeholder, if `value` is one.
#[must_use]
pub fn placeholder_expression(value: &Value) -> Option<SecretExpression> {
    let member = value.as_object()?.get(SECRET_MEMBER)?;
    SecretExpression::deserialize(member).ok()
}

/// Whether `value` is a placeholder, with or without a fingerprint.
#[must_use]
pub fn is_placeholder(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.contains_key(SECRET_MEMBER))
}

/// Every source that the placeholders in `value` name.
#[must_use]
pub fn sources(value: &Value) -> BTreeSet<SecretSource> {
    let mut found = BTreeSet::new();
    collect_sources(value, &mut found);
    found
}

fn collect_sources(value: &Value, found: &mut BTreeSet<SecretSource>) {
    match value {
        Value::Object(object) => {
            if let Some(expression) = placeholder_expression(value) {
                found.insert(expression.source().clone());
            } else {
                object.values().for_each(|member| collect_sources(member, found));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_sources(item, found)),
        _ => {}
    }
}

/// Adds a fingerprint to every placeholder whose value is known here.
pub fn add_fingerprints(value: &mut Value, values: &SecretValues, fingerprinter: Option<&Fingerprinter>) {
    match value {
        Value::Object(_) if is_placeholder(value) => {
            let Some(expression) = placeholder_expression(value) else { return };
            if let (Some(secret), Some(fingerprinter)) = (values.get(expression.source()), fingerprinter) {
                let hmac = fingerprinter.fingerprint(&expression.evaluate(secret));
                *value = json!({ SECRET_MEMBER: expression, HMAC_MEMBER: hmac });
            }
        }
        Value::Object(object) => {
            object.values_mut().for_each(|member| add_fingerprints(member, values, fingerprinter));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| add_fingerprints(item, values, fingerprinter)),
        _ => {}
    }
}

/// A source whose value is needed and cannot be had here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {0} is not set")]
pub struct MissingSecret(pub SecretSource);

/// The object with every placeholder replaced by its value; only for a provider's request.
///
/// # Errors
/// The first source that has no value here.
pub fn materialize(value: &Value, values: &SecretValues) -> Result<Value, MissingSecret> {
    if let Some(expression) = placeholder_expression(value) {
        let source = expression.source();
        let secret = values.get(source).ok_or_else(|| MissingSecret(source.clone()))?;
        return Ok(Value::String(expression.evaluate(secret)));
    }
    Ok(match value {
        Value::Object(object) => Value::Object(
            object
                .iter()
                .map(|(key, member)| Ok((key.clone(), materialize(member, values)?)))
                .collect::<Result<_, MissingSecret>>()?,
        ),
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| materialize(item, values)).collect::<Result<_, _>>()?)
        }
        other => other.clone(),
    })
}

/// The object with every placeholder replaced by the text that `copy`, an object of the same shape with its values in it, has
/// there; where it has none, by its value here. `None` when neither has one.
#[must_use]
pub fn materialize_from(value: &Value, copy: &Value, values: &SecretValues) -> Option<Value> {
    if is_placeholder(value) {
        if copy.is_string() {
            return Some(copy.clone());
        }
        return materialize(value, values).ok();
    }
    Some(match value {
        Value::Object(object) => Value::Object(
            object
                .iter()
                .map(|(key, member)| Some((key.clone(), materialize_from(member, &copy[key], values)?)))
                .collect::<Option<_>>()?,
        ),
        Value::Array(items) => Value::Array(
            items
                .iter()
                .enumerate()
                .map(|(index, item)| materialize_from(item, &copy[index], values))
                .collect::<Option<_>>()?,
        ),
        other => other.clone(),
    })
}

/// Masks an observed object: where `shape` (a desired or recorded form) has a placeholder, the observed text becomes
/// the same placeholder with its fingerprint; every other member of a Secret's `data` and `stringData` is masked too.
pub fn mask_observed(observed: &mut Value, shape: Option<&Value>, fingerprinter: Option<&Fingerprinter>) {
    // kubectl keeps a copy of the whole object, secrets included, in this annotation.
    if let Some(annotations) = observed.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    if let Some(shape) = shape {
        mask_by_shape(observed, shape, fingerprinter);
    }
    if observed.get("kind").and_then(Value::as_str) == Some("Secret") {
        for member in ["data", "stringData"] {
            let Some(Value::Object(data)) = observed.get_mut(member) else { continue };
            for value in data.values_mut().filter(|value| !is_placeholder(value)) {
                let hmac = value.as_str().and_then(|text| Some(fingerprinter?.fingerprint(text)));
                *value = json!({ SECRET_MEMBER: "unknown", HMAC_MEMBER: hmac });
            }
        }
    }
}

fn mask_by_shape(observed: &mut Value, shape: &Value, fingerprinter: Option<&Fingerprinter>) {
    if let Some(member) = shape.get(SECRET_MEMBER) {
        if !is_placeholder(observed) {
            let hmac = observed.as_str().and_then(|text| Some(fingerprinter?.fingerprint(text)));
            *observed = json!({ SECRET_MEMBER: member, HMAC_MEMBER: hmac });
        }
        return;
    }
    match (observed, shape) {
        (Value::Object(observed), Value::Object(shape)) => {
            for (key, member) in shape {
                if let Some(value) = observed.get_mut(key) {
                    mask_by_shape(value, member, fingerprinter);
                }
            }
        }
        (Value::Array(observed), Value::Array(shape)) => {
            for (index, value) in observed.iter_mut().enumerate() {
                let name = value.get("name").cloned();
                let same = name.and_then(|name| shape.iter().find(|item| item.get("name") == Some(&name)));
                if let Some(item) = same.or_else(|| shape.get(index)) {
                    mask_by_shape(value, item, fingerprinter);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> SecretExpression {
        SecretExpression::Base64(SecretSource::Environment("TOKEN".into()))
    }

    #[test]
    fn materialize_puts_values_in_and_names_what_is_missing() {
        let object = json!({"data": {"token": token().placeholder()}});
        let missing = materialize(&object, &SecretValues::new()).unwrap_err();
        assert_eq!(missing.to_string(), "the environment variable TOKEN is not set");
        let values = [(token().source().clone(), SecretValue::new("abc".into()))].into();
        assert_eq!(materialize(&object, &values).unwrap(), json!({"data": {"token": "YWJj"}}));
    }

    #[test]
    fn fingerprints_of_desired_and_observed_agree() {
        let fingerprinter = Fingerprinter::new([7; 32]);
        let values = [(token().source().clone(), SecretValue::new("abc".into()))].into();
        let shape = json!({"kind": "Secret", "data": {"token": token().placeholder()}});
        let mut desired = shape.clone();
        add_fingerprints(&mut desired, &values, Some(&fingerprinter));
        let mut observed = json!({"kind": "Secret", "data": {"token": "YWJj", "other": "c2VjcmV0"}});
        mask_observed(&mut observed, Some(&shape), Some(&fingerprinter));
        assert_eq!(observed["data"]["token"], desired["data"]["token"]);
        assert!(!observed.to_string().contains("c2VjcmV0"));
    }

    #[test]
    fn debug_of_a_secret_is_a_mask() {
        assert_eq!(format!("{:?}", SecretValue::new("hunter22".into())), "(sensitive value)");
    }
}
