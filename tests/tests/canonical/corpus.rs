//! The corpus: objects and other ways to write them, from `tests/fixtures/canonical`.

use std::path::{Path, PathBuf};

use laconic_engine::address::{ObjectKey, ResourceType};
use serde::Deserialize;
use serde_json::Value;

/// What a variant is, compared with its base; the corpus's README explains the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kinship {
    Same,
    Spelling,
    Different,
    Owned,
    Order,
    Refused,
}

/// One other way to write an object.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    pub about: String,
    pub is: Kinship,
    #[serde(default)]
    set: serde_json::Map<String, Value>,
    #[serde(default)]
    remove: Vec<String>,
    #[serde(default)]
    reverse: Vec<String>,
}

/// One file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    #[serde(skip)]
    pub file: PathBuf,
    about: String,
    pub base: Value,
    pub variants: Vec<Variant>,
}

impl Case {
    pub fn resource_type(&self) -> ResourceType {
        ResourceType::from_kind(self.base["kind"].as_str().unwrap()).unwrap()
    }

    /// The base with a name, in a namespace if it lives in one.
    pub fn base_in(&self, namespace: &str) -> Value {
        let mut base = self.base.clone();
        let stem = self.file.file_stem().unwrap().to_str().unwrap().replace('_', "-");
        base["metadata"]["name"] = format!("{namespace}-{stem}").into();
        if self.resource_type().is_namespaced() {
            base["metadata"]["namespace"] = namespace.into();
        }
        base
    }

    pub fn key_in(&self, namespace: &str) -> ObjectKey {
        let base = self.base_in(namespace);
        let text = |member: &str| base["metadata"][member].as_str().unwrap_or_default();
        ObjectKey::new(self.resource_type(), text("namespace"), text("name"))
    }

    /// How a problem with a variant is named.
    pub fn name(&self, variant: &Variant) -> String {
        format!("{} ({}): {}", self.file.display(), self.about, variant.about)
    }
}

impl Variant {
    /// The base, written otherwise.
    pub fn of(&self, base: &Value) -> Value {
        let mut object = base.clone();
        for (pointer, value) in &self.set {
            *place(&mut object, pointer) = value.clone();
        }
        for pointer in &self.remove {
            let (above, member) = pointer.rsplit_once('/').unwrap();
            match object.pointer_mut(above).unwrap_or_else(|| panic!("nothing at {above}")) {
                Value::Array(items) => drop(items.remove(member.parse().unwrap())),
                Value::Object(members) => drop(members.remove(&unescaped(member)).unwrap()),
                _ => panic!("nothing beneath {above}"),
            }
        }
        for pointer in &self.reverse {
            object.pointer_mut(pointer).and_then(Value::as_array_mut).unwrap().reverse();
        }
        object
    }
}

fn unescaped(member: &str) -> String {
    member.replace("~1", "/").replace("~0", "~")
}

/// Where a pointer leads to; maps on the way are made.
fn place<'a>(object: &'a mut Value, pointer: &str) -> &'a mut Value {
    let mut at = object;
    for member in pointer.split('/').skip(1) {
        at = match at {
            Value::Array(items) => &mut items[member.parse::<usize>().unwrap()],
            other => &mut other[unescaped(member)],
        };
    }
    at
}

/// All of them, in order of their paths.
pub fn read() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/canonical");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|folder| folder.is_dir())
        .flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()))
        .collect();
    files.sort();
    let read = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut case: Case = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        case.file = file.strip_prefix(&root).unwrap().to_owned();
        case
    };
    files.into_iter().map(read).collect()
}
