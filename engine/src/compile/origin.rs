//! Where a field of a compiled resource comes from: a line that somebody wrote, or a rule of laconic.

use crate::address::ResourceType;
use crate::place::Place;
use crate::resource::Resource;

/// Where a field comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin<'r> {
    /// It is written here.
    Written(&'r Place),
    /// Nobody wrote it; this is why it is so.
    Rule(&'static str),
}

/// The origin of a field as [`crate::diff::flatten`] names it; `None` when nothing more is known than where the whole
/// resource is written.
#[must_use]
pub fn origin<'r>(resource: &'r Resource, path: &str) -> Option<Origin<'r>> {
    let own = |path: &str| resource.places.iter().find(|(known, _)| known == path).map(|(_, place)| place);
    if let Some(place) = own(path) {
        return Some(Origin::Written(place));
    }
    // A variable is where its value is.
    if let Some(item) = path.strip_suffix(".name").filter(|item| item.contains(".env["))
        && let Some(place) = own(&format!("{item}.value"))
    {
        return Some(Origin::Written(place));
    }
    if let Some(rule) = rule(resource.address.resource_type, path) {
        return Some(Origin::Rule(rule));
    }
    let is_in_resource = resource.places.iter().any(|(prefix, _)| crate::resource::is_below(path, prefix));
    resource.place_of(path).filter(|_| is_in_resource).map(Origin::Written)
}

/// Fields of one type of object: the beginning of their paths, and why they are as they are.
type Rules = &'static [(&'static str, &'static str)];

const NAMED: &str = "named after the deployment-id";
const LABELLED: &str = "the labels by which a deployment's objects and pods are known";
const KEPT: &str = "one node writes, and the data is kept";

const COMMON: Rules = &[
    ("apiVersion", "what such objects are called"),
    ("kind", "what such objects are called"),
    ("metadata.namespace", "the deployment's namespace"),
    ("metadata.labels", LABELLED),
    ("metadata.annotations[laconic.com/deployment-dir]", "the directory that the namespace belongs to"),
    ("metadata.name", NAMED),
];

const WORKLOAD: Rules = &[
    ("spec.replicas", "default of `replicas`"),
    ("spec.selector", LABELLED),
    ("spec.strategy", "Recreate where a pod keeps data or host ports, else one pod after another"),
    ("spec.backoffLimit", "a job runs once"),
    ("spec.template.spec.restartPolicy", "a job runs once"),
    ("spec.template.metadata.labels", LABELLED),
    ("spec.template.metadata.annotations[laconic.com/config-digest]", "rolls the pods when what they read changes"),
    ("spec.template.spec.hostAliases", "services of one pod reach each other by name"),
    ("spec.template.spec.initContainers[]", "the order of the services in the compose file"),
];

/// By the end of the path, within a container.
const CONTAINER: Rules = &[
    ("imagePullPolicy", "default of `image-pull-policy`: IfNotPresent on kind, Always elsewhere"),
    ("securityContext.privileged", "default of `security.privileged`"),
    ("resources", "what a container gets in the laconic-so dialect when nothing says otherwise"),
    ("envFrom[0]", "the Secret of generated values"),
    ("env[]", "the order of the variables, of which some speak of others"),
    ("readinessProbe.initialDelaySeconds", "how laconic asks whether a container is ready"),
    ("readinessProbe.periodSeconds", "how laconic asks whether a container is ready"),
    ("readinessProbe.failureThreshold", "how laconic asks whether a container is ready"),
];

const SERVICE: Rules = &[
    ("spec.type", "how Services of this sort are reached"),
    ("spec.clusterIP", "the name leads to the addresses behind it"),
    ("spec.publishNotReadyAddresses", "compose resolves a name as soon as the container runs"),
    ("spec.selector", LABELLED),
];

const VOLUME: Rules = &[
    ("spec.accessModes", KEPT),
    ("spec.storageClassName", KEPT),
    ("spec.volumeName", KEPT),
    ("spec.capacity.storage", "default of `resources.volumes`"),
    ("spec.resources.requests.storage", "default of `resources.volumes`"),
];

const INGRESS: Rules = &[
    ("metadata.annotations[kubernetes.io/ingress.class]", "the ingress controller of the cluster"),
    ("metadata.annotations[cert-manager.io/cluster-issuer]", "who issues certificates"),
];

const SECRET: Rules = &[("type", "what sort of Secret it is")];

fn rule(resource_type: ResourceType, path: &str) -> Option<&'static str> {
    let find = |rules: Rules, path: &str| {
        rules.iter().find(|(prefix, _)| crate::resource::is_below(path, prefix)).map(|(_, rule)| *rule)
    };
    let own: Rules = match resource_type {
        ResourceType::Deployment | ResourceType::Job => WORKLOAD,
        ResourceType::Service => SERVICE,
        ResourceType::PersistentVolume | ResourceType::PersistentVolumeClaim => VOLUME,
        ResourceType::Ingress => INGRESS,
        ResourceType::Secret => SECRET,
        ResourceType::Namespace if path == "metadata.name" => return Some("default of `namespace`: `laconic-STACK`"),
        _ => &[],
    };
    let in_container = || {
        let (_, rest) = path.split_once("ontainers[")?;
        let (_, field) = rest.split_once("].")?;
        find(CONTAINER, field)
    };
    find(COMMON, path).or_else(|| find(own, path)).or_else(in_container)
}
