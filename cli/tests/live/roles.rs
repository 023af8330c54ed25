//! The roles that the book gives, put to use and taken apart.

use std::time::{Duration, Instant};

use laconic_testbed::ApiServer;
use serde_json::{Value, json};

use crate::deployment::{Answer, Deployment, kubectl};

/// How long the API server may take to notice a changed role.
const NOTICED: Duration = Duration::from_secs(10);

/// One thing that a role allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The resource, in plural.
    pub resource: String,
    /// The verb.
    pub verb: String,
    /// The object; empty for all.
    pub name: String,
}

/// The roles of one of the book's files, for one deployment and one user.
pub struct Roles<'a> {
    server: &'a ApiServer,
    shop: &'a Deployment,
    objects: Vec<Value>,
}

impl<'a> Roles<'a> {
    /// Reads `docs/src/rbac/NAME.yaml`, and gives the user what it says.
    pub fn grant(server: &'a ApiServer, shop: &'a Deployment, name: &str, user: &str) -> Self {
        let path = format!("{}/../docs/src/rbac/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let text = text.replace("NAMESPACE", &shop.namespace).replace("DEPLOYMENT-ID", &shop.id);
        shop.write("roles.yaml", &text.replace("USER", user));
        let file = shop.path("roles.yaml");
        let file = file.to_str().unwrap();
        let converted = kubectl(server, &["create", "--dry-run=client", "--output=json", "--filename", file]);
        let objects: Vec<Value> = serde_json::Deserializer::from_str(&converted)
            .into_iter::<Value>()
            .map(Result::unwrap)
            .flat_map(|one| one["items"].as_array().cloned().unwrap_or_else(|| vec![one]))
            .collect();
        assert_eq!(objects.len(), 4, "{converted}");
        let roles = Self { server, shop, objects };
        roles.allow(|_| true);
        roles
    }

    /// Everything the file allows, one by one.
    pub fn permissions(&self) -> Vec<Permission> {
        let mut all = Vec::new();
        for rule in self.objects.iter().flat_map(|object| object["rules"].as_array().into_iter().flatten()) {
            all.extend(one_by_one(rule).into_iter().map(|(permission, _)| permission));
        }
        all
    }

    /// From now on only these of the permissions are given.
    pub fn allow(&self, is_allowed: impl Fn(&Permission) -> bool) {
        let objects: Vec<Value> = self
            .objects
            .iter()
            .map(|object| {
                let mut object = object.clone();
                if let Some(rules) = object["rules"].as_array() {
                    let single = rules.iter().flat_map(one_by_one);
                    let kept: Vec<Value> =
                        single.filter(|(permission, _)| is_allowed(permission)).map(|(_, rule)| rule).collect();
                    object["rules"] = Value::Array(kept);
                }
                object
            })
            .collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
        self.shop.write("roles.json", &list);
        let file = self.shop.path("roles.json");
        kubectl(self.server, &["apply", "--server-side", "--filename", file.to_str().unwrap()]);
    }
}

/// A rule as rules of one resource, one verb and one object.
fn one_by_one(rule: &Value) -> Vec<(Permission, Value)> {
    let list = |member: &str| -> Vec<String> {
        let all = rule[member].as_array().into_iter().flatten();
        all.map(|one| one.as_str().unwrap_or_default().to_owned()).collect()
    };
    let mut names = list("resourceNames");
    if names.is_empty() {
        names.push(String::new());
    }
    let mut single = Vec::new();
    for resource in list("resources") {
        for verb in list("verbs") {
            for name in &names {
                let mut rule = json!({"apiGroups": rule["apiGroups"], "resources": [resource], "verbs": [verb]});
                if !name.is_empty() {
                    rule["resourceNames"] = json!([name]);
                }
                single.push((Permission { resource: resource.clone(), verb: verb.clone(), name: name.clone() }, rule));
            }
        }
    }
    single
}

/// Runs something until it answers as wanted: a server notices a changed role a moment later.
#[track_caller]
pub fn until(what: &str, mut run: impl FnMut() -> Answer, is_wanted: impl Fn(&Answer) -> bool) -> Answer {
    let deadline = Instant::now() + NOTICED;
    loop {
        let answer = run();
        if is_wanted(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: (exit {})\n{}", answer.code, answer.all());
    }
}
