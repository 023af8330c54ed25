//! Names and labels of a deployment's objects.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::address::{Address, ResourceType, Scope};
use crate::place::Place;
use crate::resource::Resource;
use crate::spec::{Dialect, Spec};

use super::input::CheckedDeployment;

/// The label that tells the pods of one compose file from those of another.
pub(super) const COMPONENT_LABEL: &str = "app.kubernetes.io/component";

/// The namespace that a deployment's objects live in.
#[must_use]
pub fn namespace_name(spec: &Spec, stack: &str, deployment_id: &str) -> String {
    match (&spec.namespace, stack) {
        (Some(namespace), _) => namespace.value.clone(),
        (None, "") => format!("laconic-{deployment_id}"),
        (None, stack) => format!("laconic-{stack}"),
    }
}

/// Who a deployment is, as its objects say it.
pub(super) struct Naming<'a> {
    /// The deployment-id: prefix of all object names and value of the label `app`.
    pub app: &'a str,
    /// The stack's name.
    pub stack: &'a str,
    /// The namespace.
    pub namespace: String,
    /// The scope of the deployment's addresses.
    pub scope: Scope,
    /// How the deployment is read.
    pub dialect: Dialect,
    /// Whether several compose files make several Deployments.
    pub has_several_pods: bool,
    namespace_address: Address,
}

impl<'a> Naming<'a> {
    pub(super) fn new(checked: &'a CheckedDeployment) -> Self {
        let app = checked.identity.deployment_id.as_str();
        let stack = checked.stack.name.as_str();
        let namespace = namespace_name(&checked.spec, stack, app);
        let scope = Scope::Deployment(Arc::from(checked.name.as_str()));
        let namespace_address = Address::new(ResourceType::Namespace, scope.clone(), &namespace);
        Self {
            app,
            stack,
            namespace,
            scope,
            dialect: checked.identity.dialect,
            // A pod may be without an active service: the others keep their names.
            has_several_pods: checked.stack.pods.len() > 1,
            namespace_address,
        }
    }

    pub(super) fn is_compose(&self) -> bool {
        self.dialect == Dialect::Compose
    }

    /// The address of a resource of this deployment.
    pub(super) fn address(&self, resource_type: ResourceType, short: &str) -> Address {
        Address::new(resource_type, self.scope.clone(), short)
    }

    pub(super) fn namespace_address(&self) -> Address {
        self.namespace_address.clone()
    }

    /// `APP-suffix`.
    pub(super) fn object_name(&self, suffix: &str) -> String {
        format!("{}-{suffix}", self.app)
    }

    /// The name of a pod's Deployment.
    pub(super) fn deployment_name(&self, pod: &str) -> String {
        if self.has_several_pods {
            format!("{}-{pod}-deployment", self.app)
        } else {
            format!("{}-deployment", self.app)
        }
    }

    /// The name of a pod's Service.
    pub(super) fn service_name(&self, pod: &str) -> String {
        if self.has_several_pods { format!("{}-{pod}-service", self.app) } else { format!("{}-service", self.app) }
    }

    /// The labels that every object has.
    pub(super) fn labels(&self) -> Map<String, Value> {
        let mut labels = Map::new();
        labels.insert("app".to_owned(), self.app.into());
        labels.insert("app.kubernetes.io/stack".to_owned(), self.stack.into());
        labels
    }

    /// The labels by which a pod is selected.
    pub(super) fn selector(&self, pod: &str) -> Map<String, Value> {
        let mut selector = Map::new();
        selector.insert("app".to_owned(), self.app.into());
        if self.has_several_pods {
            selector.insert(COMPONENT_LABEL.to_owned(), pod.into());
        }
        selector
    }

    /// Metadata in the deployment's namespace with the common labels and one more.
    pub(super) fn metadata(&self, name: &str, label: Option<(&str, &str)>) -> Value {
        let mut labels = self.labels();
        if let Some((key, value)) = label {
            labels.insert(key.to_owned(), value.into());
        }
        object! {"name" => name, "namespace" => self.namespace.as_str(), "labels" => labels}
    }

    /// A namespaced resource, which needs at least its Namespace.
    pub(super) fn resource(
        &self,
        resource_type: ResourceType,
        short: &str,
        attributes: Value,
        place: Option<&Place>,
    ) -> Resource {
        let mut resource = Resource::new(self.address(resource_type, short), attributes);
        resource.needs.push(self.namespace_address());
        resource.place = place.cloned();
        resource
    }
}

/// `path` with a member: after a dot, or in brackets where the name has characters that a path cannot show plainly.
pub(super) fn member_path(path: &str, member: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !member.is_empty() && member.bytes().all(is_plain) {
        format!("{path}.{member}")
    } else {
        format!("{path}[{member}]")
    }
}

/// Whether a text is a DNS label as names of Services and host aliases must be.
pub(super) fn is_dns_label(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= 63
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase())
        && text.bytes().last().is_some_and(is_word)
        && text.bytes().all(|byte| is_word(byte) || byte == b'-')
}

/// The name of a pod volume, shortened where it is longer than a volume's may be.
pub(super) fn volume_name(name: &str) -> String {
    /// The longest name of a volume.
    const LONGEST: usize = 63;
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let digest = crate::value::Digest::of_bytes(name.as_bytes()).to_string();
    let start: String = name.chars().take(LONGEST - 9).collect();
    let end: String = digest.chars().rev().take(8).collect();
    format!("{start}-{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_with_dots_are_bracketed() {
        assert_eq!(member_path("data", "a_b"), "data.a_b");
        assert_eq!(member_path("data", "a.conf"), "data[a.conf]");
    }

    #[test]
    fn long_names_of_volumes_are_shortened() {
        assert_eq!(volume_name("a-b"), "a-b");
        let (one, two) = (volume_name(&"a".repeat(64)), volume_name(&"a".repeat(65)));
        assert!(one.len() == 63 && two.len() == 63 && one != two);
    }

    #[test]
    fn dns_labels() {
        assert!(is_dns_label("db-1"));
        assert!(!is_dns_label("db_1"));
        assert!(!is_dns_label("1db"));
        assert!(!is_dns_label("db-"));
    }
}
