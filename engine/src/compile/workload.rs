//! Workloads: the Deployment of each pod and the Job of each job.

use serde_json::{Map, Value, json};

use crate::address::ResourceType;
use crate::compose::ComposeFile;
use crate::place::Place;
use crate::resource::Resource;
use crate::spec::Located;

use super::input::CheckedDeployment;
use super::lower::Context;
use super::naming::{COMPONENT_LABEL, member_path};
use super::pod::pod;
use super::pod_label::pod_labels;
use super::pod_settings;
use super::pod_settings::job_restarts;

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
    let mut annotations = Map::new();
    if naming.is_compose() {
        pod_labels(file, &mut template_labels, &mut annotations, &mut places);
    }
    templated(&spec.labels, file, "labels", &mut template_labels, &mut places);
    templated(&spec.annotations, file, "annotations", &mut annotations, &mut places);
    if let Some(digest) = compiled.config_digest {
        annotations.insert(CONFIG_DIGEST_ANNOTATION.to_owned(), digest.into());
    }
    let mut template_metadata = Map::new();
    template_metadata.insert("labels".to_owned(), template_labels.into());
    if !annotations.is_empty() {
        template_metadata.insert("annotations".to_owned(), annotations.into());
    }
    let (replicas, replicas_place) = replicas(context.checked, file);
    places.extend(replicas_place.map(|place| ("spec.replicas".to_owned(), place.clone())));
    let has_data = file.volumes.iter().any(|volume| !context.config_map_names.contains(volume.value.as_str()));
    // A pod on the host's network holds its ports until it is gone: a second one could never start beside it.
    let has_host_ports = naming.is_compose() && compiled.spec.contains_key("hostNetwork");
    let strategy = if has_data || has_host_ports {
        json!({"type": "Recreate"})
    } else {
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}})
    };
    let object_name = naming.deployment_name(name);
    let metadata = object! {"name" => object_name, "namespace" => naming.namespace.as_str(), "labels" => labels};
    let attributes = object! {
        "apiVersion" => "apps/v1",
        "kind" => "Deployment",
        "metadata" => metadata,
        "spec" => object! {
            "replicas" => replicas,
            "selector" => object! {"matchLabels" => naming.selector(name)},
            "strategy" => strategy,
            "template" => object! {"metadata" => template_metadata, "spec" => compiled.spec},
        },
    };
    let place = context.checked.stack.pods.iter().find(|pod| pod.value == name).map(|pod| &pod.place);
    let mut resource = naming.resource(ResourceType::Deployment, name, attributes, place);
    resource.needs.extend(compiled.needs);
    resource.places = places;
    resource
}

/// How many pods a Deployment has, and where that is said: the spec counts before the compose file.
pub(super) fn replicas<'c>(checked: &'c CheckedDeployment, file: &'c ComposeFile) -> (u32, Option<&'c Place>) {
    let written = checked.spec.replicas.as_ref().or_else(|| pod_settings::replicas(file).0);
    (written.map_or(1, |replicas| replicas.value), written.map(|replicas| &replicas.place))
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
    let (policy, tries, restart_place) = if naming.is_compose() {
        (job_restarts(file).0, job_restarts(file).1, job_restarts(file).2)
    } else {
        ("Never", 0, None)
    };
    compiled.spec.insert("restartPolicy".to_owned(), policy.into());
    for path in ["spec.backoffLimit", "spec.template.spec.restartPolicy"] {
        compiled.places.extend(restart_place.map(|place| (path.to_owned(), place.clone())));
    }
    let mut template_labels = naming.labels();
    // Not the label that Services select by: a Job's pod serves nobody.
    template_labels.insert("app".to_owned(), naming.object_name("job").into());
    let mut template_metadata = Map::new();
    let mut annotations = Map::new();
    if naming.is_compose() {
        pod_labels(file, &mut template_labels, &mut annotations, &mut compiled.places);
    }
    template_metadata.insert("labels".to_owned(), template_labels.into());
    if !annotations.is_empty() {
        template_metadata.insert("annotations".to_owned(), annotations.into());
    }
    let attributes = object! {
        "apiVersion" => "batch/v1",
        "kind" => "Job",
        "metadata" => naming.metadata(&naming.object_name(&format!("job-{name}")), None),
        "spec" => object! {
            "backoffLimit" => tries,
            "template" => object! {"metadata" => template_metadata, "spec" => compiled.spec},
        },
    };
    let place = context.checked.stack.jobs.iter().find(|job| job.value == name).map(|job| &job.place);
    let mut resource = naming.resource(ResourceType::Job, name, attributes, place);
    resource.needs.extend(compiled.needs);
    resource.places = compiled.places;
    resource
}
