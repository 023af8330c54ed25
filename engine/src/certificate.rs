//! Caddy's certificates: which Secrets of a cluster they are, and how their backup is read.
//!
//! Caddy keeps what it got from its certificate authority as Secrets, which die with the cluster; authorities limit how
//! often they issue the same again. A CronJob saves them under the umbrella, from where they come back.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::address::{ObjectKey, ResourceType};
use crate::compile::caddy::{BACKUP, BACKUP_FILE, CONTROLLER, NAMESPACE};
use crate::resource::{CertificateBackup, Live};
use crate::yaml::{Node, NodeKind, parse};

/// The label of Caddy's Secrets.
const LABEL: (&str, &str) = ("manager", "caddy");

/// How many bytes of a backup are read at most.
pub const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// Where the backup lies, below the directory of the umbrella or its mount in the node.
#[must_use]
pub fn backup_path(umbrella: &str) -> String {
    format!("{}/{BACKUP}/{BACKUP_FILE}", umbrella.trim_end_matches('/'))
}

/// The Deployment that needs the certificates.
#[must_use]
pub fn controller_key() -> ObjectKey {
    ObjectKey::new(ResourceType::Deployment, NAMESPACE, CONTROLLER)
}

/// Whether an object is one of Caddy's Secrets, by its key and its labels.
fn is_caddys(key: &ObjectKey, object: &Value) -> bool {
    key.resource_type == ResourceType::Secret
        && &*key.namespace == NAMESPACE
        && object["metadata"]["labels"][LABEL.0] == LABEL.1
}

/// Whether a Secret of that name holds a certificate; others hold their keys, accounts, and what Caddy remembers.
fn is_certificate(name: &str) -> bool {
    name.ends_with(".crt")
}

/// When a certificate was last written, RFC 3339; `None` for an object that is none.
fn written_at<'a>(key: &ObjectKey, live: &'a Live) -> Option<&'a str> {
    if !is_caddys(key, &live.attributes) || !is_certificate(&key.name) {
        return None;
    }
    let created = live.attributes["metadata"]["creationTimestamp"].as_str().unwrap_or_default();
    // A certificate that was renewed is in the Secret of the first one.
    let changed = live.owners.iter().map(|owner| owner.time.as_str()).max().unwrap_or_default();
    Some(created.max(changed))
}

/// The certificates of a cluster and their backup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificates {
    /// How many there are.
    pub count: usize,
    /// How many of them were written since their backup; all of them where there is none.
    pub unsaved: usize,
}

impl Certificates {
    /// The certificates among the objects of a cluster, and which of them a backup lacks. A backup of which the time was not
    /// seen has them all.
    #[must_use]
    pub fn of(objects: &BTreeMap<ObjectKey, Live>, backup: &CertificateBackup) -> Self {
        let written: Vec<&str> = objects.iter().filter_map(|(key, live)| written_at(key, live)).collect();
        let is_unsaved = |time: &&&str| match backup {
            CertificateBackup::Missing => true,
            CertificateBackup::Saved { at: Some(at) } => at.as_str() < **time,
            CertificateBackup::Saved { at: None } => false,
        };
        Self { count: written.len(), unsaved: written.iter().filter(is_unsaved).count() }
    }
}

/// Why a backup brings nothing back. Never says what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// Not what the backup writes.
    #[error("it is no list of Secrets in YAML or JSON")]
    Unreadable,
    /// A list without certificates.
    #[error("it holds no certificates")]
    Empty,
}

/// The Secrets of a backup, ready to be made: without what the old cluster kept of them. What is no Secret of Caddy's
/// is left out, whoever put it there.
///
/// # Errors
/// A file that holds none.
pub fn read_backup(bytes: &[u8]) -> Result<Vec<(ObjectKey, Value)>, BackupError> {
    let objects = match serde_json::from_slice::<Value>(bytes) {
        Ok(mut list) => match list.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => items,
            _ => return Err(BackupError::Unreadable),
        },
        Err(_) => read_yaml(bytes).ok_or(BackupError::Unreadable)?,
    };
    let mut seen = BTreeSet::new();
    let secrets: Vec<(ObjectKey, Value)> =
        objects.iter().filter_map(secret).filter(|(key, _)| seen.insert(key.clone())).collect();
    match secrets.iter().any(|(key, _)| is_certificate(&key.name)) {
        true => Ok(secrets),
        false => Err(BackupError::Empty),
    }
}

/// The objects of a list in YAML, as laconic-so's backup writes it.
fn read_yaml(bytes: &[u8]) -> Option<Vec<Value>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (root, findings) = parse(&BACKUP_FILE.into(), text);
    let root = root.filter(|_| findings.is_empty())?;
    match &root.get("items")?.kind {
        NodeKind::Sequence(items) => Some(items.iter().map(value).collect()),
        NodeKind::Scalar { .. } | NodeKind::Mapping(_) => None,
    }
}

/// A node as JSON; every scalar that is not null is a text, as everything is that a Secret consists of.
fn value(node: &Node<'_>) -> Value {
    match &node.kind {
        NodeKind::Scalar { .. } if node.is_null() => Value::Null,
        NodeKind::Scalar { text, .. } => Value::from(text.as_ref()),
        NodeKind::Sequence(items) => items.iter().map(value).collect(),
        NodeKind::Mapping(entries) => {
            let members = entries.iter().filter_map(|(key, one)| Some((key.text()?.to_owned(), value(one))));
            Value::Object(members.collect())
        }
    }
}

/// One of Caddy's Secrets as it is made again.
fn secret(object: &Value) -> Option<(ObjectKey, Value)> {
    let metadata = &object["metadata"];
    let key = ObjectKey::new(ResourceType::Secret, metadata["namespace"].as_str()?, metadata["name"].as_str()?);
    if object["kind"] != "Secret" || !is_caddys(&key, object) {
        return None;
    }
    let texts = |member: &Value| -> Map<String, Value> {
        let members = member.as_object().into_iter().flatten().filter(|(_, value)| value.is_string());
        members.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let mut annotations = texts(&metadata["annotations"]);
    // A copy of everything, and no longer true once the object is another one.
    annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    let mut made = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": &*key.name, "namespace": &*key.namespace, "labels": texts(&metadata["labels"])},
        "type": object["type"].as_str().unwrap_or("Opaque"),
        "data": texts(&object["data"]),
    });
    if !annotations.is_empty() {
        made["metadata"]["annotations"] = Value::Object(annotations);
    }
    Some((key, made))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::FieldOwner;

    const YAML: &str = "\
apiVersion: v1
items:
- apiVersion: v1
  data:
    value: bm90LWEtcmVhbC1jZXJ0aWZpY2F0ZQ==
  kind: Secret
  metadata:
    annotations:
      certmagic.io/storage-key: certificates/ca/a.example/a.example.crt
      kubectl.kubernetes.io/last-applied-configuration: '{}'
    creationTimestamp: \"2026-01-01T00:00:00Z\"
    labels:
      manager: caddy
      on: \"1\"
    name: caddy.ingress--certificates.ca.a.example.a.example.crt
    namespace: caddy-system
    resourceVersion: \"512\"
    uid: 0f9b1d3a-0000-4000-8000-000000000001
  type: Opaque
kind: List
metadata:
  resourceVersion: \"\"
";

    fn object(namespace: &str, name: &str, manager: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace,
               "labels": {"manager": manager}}, "data": {"value": "eA=="}})
    }

    fn list(items: &[Value]) -> Vec<u8> {
        serde_json::to_vec(&json!({"kind": "List", "items": items})).unwrap()
    }

    #[test]
    fn a_secret_of_the_backup_is_read_without_what_its_cluster_kept_of_it() {
        let secrets = read_backup(YAML.as_bytes()).unwrap();
        let [(key, made)] = secrets.as_slice() else { panic!("{secrets:?}") };
        assert_eq!(&*key.name, "caddy.ingress--certificates.ca.a.example.a.example.crt");
        let expected = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {
                "name": "caddy.ingress--certificates.ca.a.example.a.example.crt", "namespace": "caddy-system",
                "labels": {"manager": "caddy", "on": "1"},
                "annotations": {"certmagic.io/storage-key": "certificates/ca/a.example/a.example.crt"},
            },
            "data": {"value": "bm90LWEtcmVhbC1jZXJ0aWZpY2F0ZQ=="},
        });
        assert_eq!(*made, expected);
    }

    #[test]
    fn yaml_and_json_say_the_same() {
        let value: Value = serde_yaml::from_str(YAML).unwrap();
        assert_eq!(read_backup(&serde_json::to_vec(&value).unwrap()), read_backup(YAML.as_bytes()));
    }

    #[test]
    fn what_is_no_secret_of_caddys_does_not_come_back() {
        let theirs = [
            object("kube-system", "a.crt", "caddy"),
            object("caddy-system", "b.crt", "somebody"),
            json!({"kind": "ConfigMap", "metadata": {"name": "c.crt", "namespace": "caddy-system",
                   "labels": {"manager": "caddy"}}}),
        ];
        assert_eq!(read_backup(&list(&theirs)), Err(BackupError::Empty));
        let ours = [object("caddy-system", "d.crt", "caddy"), object("caddy-system", "d.crt", "caddy")];
        let names = |items: &[Value]| -> Vec<String> {
            read_backup(&list(items)).unwrap().into_iter().map(|(key, _)| key.name.to_string()).collect()
        };
        assert_eq!(names(&[&theirs[..], &ours].concat()), ["d.crt"]);
    }

    #[test]
    fn a_backup_without_certificates_and_one_that_is_broken_are_told_apart() {
        // An account with the authority and nothing that it issued.
        assert_eq!(read_backup(&list(&[object("caddy-system", "acme.users.key", "caddy")])), Err(BackupError::Empty));
        assert_eq!(read_backup(&list(&[])), Err(BackupError::Empty));
        for broken in [
            "",
            "0\n",
            "[]",
            "null",
            "\"a\"",
            "half of a",
            "items: 5",
            "{\"items\": 5}",
            "items: [a, {",
            "\u{0}",
            "&a [*a]",
        ] {
            assert_eq!(read_backup(broken.as_bytes()), Err(BackupError::Unreadable), "{broken:?}");
        }
        assert_eq!(read_backup(&[0xff, 0xfe, 0x00]), Err(BackupError::Unreadable));
        let whole = YAML.len();
        for length in 0..whole {
            // Whatever is left of it, it is read or told to be broken.
            let _ = read_backup(&YAML.as_bytes()[..length]);
        }
    }

    #[test]
    fn a_certificate_that_was_renewed_is_as_new_as_that() {
        let key = |name: &str| ObjectKey::new(ResourceType::Secret, "caddy-system", name);
        let mut attributes = object("caddy-system", "a.crt", "caddy");
        attributes["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        let owner = |time: &str| FieldOwner { manager: "caddy".into(), time: time.into(), paths: BTreeSet::new() };
        let live = |owners| Live { uid: "u".into(), attributes: attributes.clone(), owners, terminating: false };
        assert_eq!(written_at(&key("a.crt"), &live(vec![])), Some("2026-01-01T00:00:00Z"));
        let renewed = live(vec![owner("2026-03-01T00:00:00Z"), owner("2026-02-01T00:00:00Z")]);
        assert_eq!(written_at(&key("a.crt"), &renewed), Some("2026-03-01T00:00:00Z"));
        assert_eq!(written_at(&key("a.key"), &renewed), None);
    }
}
