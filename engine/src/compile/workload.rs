//! Workloads: the Deployment of each pod and the Job of each job.

use serde_json::{Map, Value, json};

use crate::address::ResourceType;
use crate::compose::ComposeFile;
use crate::place::Place;
use crate::resource::Resource;
use crate::spec::Located;

use super::lower::Context;
use super::naming::{COMPONENT_LABEL, member_path};
use super::pod::pod;

/// The annotation on a pod template that rolls its pods when what they read changes.
pub const CONFIG_DIGEST_ANNOTATION: &str = "laconic.com/config-digest";

/// Compiles a compose file to a Deployment.
pub(super) fn deployment(context: &Context<'_>, name: &str, file: &ComposeFile) -> Resource {
    let naming = &context.naming;
    let spec = &context.checked.spec;
    let compiled = pod(context, file, false);
    let mut places = compiled.places;
    let mut labels = naming.labels();
    if naming.has_several_pods {
        labels.insert(COMPONENT_LABEL.to_owned(), name.into());
    }
    let mut template_labels = labels.clone();
    templated(&spec.labels, file, "labels", &mut template_labels, &mut places);
    let mut annotations = Map::new();
    templated(&spec.annotations, file, "annotations", &mut annotations, &mut places);
    // Deployments that laconic-so made have no such annotation and must not roll when they are adopted.
    if let Some(digest) = compiled.config_digest.filter(|_| naming.is_compose()) {
        annotations.insert(CONFIG_DIGEST_ANNOTATION.to_owned(), digest.into());
    }
    let mut template_metadata = Map::new();
    template_metadata.insert("labels".to_owned(), template_labels.into());
    if !annotations.is_empty() {
        template_metadata.insert("annotations".to_owned(), annotations.into());
    }
    let replicas = spec.replicas.as_ref().map_or(1, |replicas| replicas.value);
    places.extend(spec.replicas.as_ref().map(|replicas| ("spec.replicas".to_owned(), replicas.place.clone())));
    let has_data = file.volumes.iter().any(|volume| !context.config_map_names.contains(volume.value.as_str()));
    // A pod on the host's network holds its ports until it is gone: a second one could never start beside it.
    let has_host_ports = naming.is_compose() && compiled.spec.contains_key("hostNetwork");
    let strategy = if has_data || has_host_ports {
        json!({"type": "Recreate"})
    } else {
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}})
    };
    let object_name = naming.deployment_name(name);
    let attributes = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": object_name, "namespace": naming.namespace, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": naming.selector(name)},
            "strategy": strategy,
            "template": {"metadata": template_metadata, "spec": compiled.spec},
        },
    });
    let place = context.checked.stack.pods.iter().find(|pod| pod.value == name).map(|pod| &pod.place);
    let mut resource = naming.resource(ResourceType::Deployment, name, attributes, place);
    resource.needs.extend(compiled.needs);
    resource.places = places;
    resource
}

/// Labels or annotations of the spec; `{name}` in a key stands for each service of the pod.
fn templated(
    entries: &[(Located<String>, Located<String>)],
    file: &ComposeFile,
    member: &str,
    target: &mut Map<String, Value>,
    places: &mut Vec<(String, Place)>,
) {
    let mut set = |key: String, value: &Located<String>| {
        let path = member_path(&format!("spec.template.metadata.{member}"), &key);
        places.push((path, value.place.clone()));
        target.insert(key, value.value.as_str().into());
    };
    for (key, value) in entries {
        if key.value.contains("{name}") {
            for service in &file.services {
                set(key.value.replace("{name}", &service.name.value), value);
            }
        } else {
            set(key.value.clone(), value);
        }
    }
}

/// Compiles a compose file to a Job.
pub(super) fn job(context: &Context<'_>, name: &str, file: &ComposeFile) -> Resource {
    let naming = &context.naming;
    let mut compiled = pod(context, file, true);
    compiled.spec.insert("restartPolicy".to_owned(), "Never".into());
    let mut template_labels = naming.labels();
    // Not the label that Services select by: a Job's pod serves nobody.
    template_labels.insert("app".to_owned(), naming.object_name("job").into());
    let attributes = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": naming.metadata(&naming.object_name(&format!("job-{name}")), None),
        "spec": {
            "backoffLimit": 0,
            "template": {"metadata": {"labels": template_labels}, "spec": compiled.spec},
        },
    });
    let place = context.checked.stack.jobs.iter().find(|job| job.value == name).map(|job| &job.place);
    let mut resource = naming.resource(ResourceType::Job, name, attributes, place);
    resource.needs.extend(compiled.needs);
    resource.places = compiled.places;
    resource
}
