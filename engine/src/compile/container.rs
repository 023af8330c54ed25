//! Containers: one per compose service.

use serde_json::{Map, Value, json};

use crate::compose::{Command, ComposeFile, Service, VolumeSource};
use crate::place::Place;

use super::amount::container_resources;
use super::command::shell_words;
use super::environment::siblings;
use super::lower::Context;
use super::pod::{anonymous_volume, memory_volume};
use super::probe::{probe_places, probes};
use super::secret::{GENERATED, certificate_key};
use super::security_context::security_context;
use super::start_order::{Stage, has_check};

/// Where extra CA certificates are mounted.
const CERTIFICATE_DIRECTORY: &str = "/etc/ssl/certs";
/// The pod volume of extra CA certificates.
pub(super) const CERTIFICATE_VOLUME: &str = "laconic-ca-certs";

/// What sort of pod a container is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A container of a Deployment.
    Regular,
    /// An init container of a Deployment, or of a Job in the compose dialect.
    Init,
    /// A container of a Job.
    Job,
}

/// A compiled container.
pub(super) struct Container {
    /// The object.
    pub object: Value,
    /// Places of its fields, below the pod template's `spec`.
    pub places: Vec<(String, Place)>,
}

/// Compiles a service.
pub(super) fn container(
    context: &Context<'_>,
    file: &ComposeFile,
    service: &Service,
    role: Role,
    stage: Stage,
) -> Container {
    let spec = &context.checked.spec;
    let name = service.name.value.as_str();
    let list = if stage != Stage::Regular { "initContainers" } else { "containers" };
    let path = format!("spec.template.spec.{list}[{name}]");
    let mut places = vec![(path.clone(), service.name.place.clone())];
    let mut object = Map::new();
    object.insert("name".to_owned(), name.into());
    let (image, image_place) = image(context, service, role);
    object.insert("image".to_owned(), image.into());
    places.extend(image_place.map(|place| (format!("{path}.image"), place.clone())));
    object.insert("imagePullPolicy".to_owned(), context.pull_policy(role, service).into());
    if let Some(policy) = &service.pull_policy {
        places.push((format!("{path}.imagePullPolicy"), policy.place.clone()));
    }
    if matches!(stage, Stage::Sidecar { .. }) {
        object.insert("restartPolicy".to_owned(), "Always".into());
        // That others wait for it is what makes it run before them and beside them.
        let waiting = file.services.iter().flat_map(|other| &other.depends_on);
        let waiting = waiting.map(|dependency| &dependency.service).find(|needed| needed.value == name);
        places.extend(waiting.map(|needed| (format!("{path}.restartPolicy"), needed.place.clone())));
    }
    for (key, command) in [("command", &service.entrypoint), ("args", &service.command)] {
        if let Some(command) = command {
            object.insert(key.to_owned(), words(context, command, key == "command").into());
        }
    }
    if let Some(directory) = service.working_dir.as_ref().filter(|_| context.naming.is_compose()) {
        object.insert("workingDir".to_owned(), context.variables.text(&directory.value).into());
    }
    let takes_certificates = !spec.ca_certificates.is_empty() && context.takes_pod_settings(role);
    let files = context.env_files(service);
    let (mut env, env_places) = context.variables.environment(service, &files, &siblings(file, service));
    if takes_certificates {
        let first = format!("{CERTIFICATE_DIRECTORY}/{}", certificate_key(0));
        env.push(json!({"name": "NODE_EXTRA_CA_CERTS", "value": first}));
    }
    object.insert("env".to_owned(), env.into());
    let env_path = format!("{path}.env");
    places.extend(env_places.into_iter().map(|(name, place)| (format!("{env_path}[{name}].value"), place)));
    let env_from = env_from(context);
    if !env_from.is_empty() {
        object.insert("envFrom".to_owned(), env_from.into());
    }
    let ports = ports(service);
    if !ports.is_empty() {
        object.insert("ports".to_owned(), ports.into());
    }
    object.insert("volumeMounts".to_owned(), mounts(context, service, takes_certificates).into());
    let own = spec.resources.container.get(name);
    let (resources, resource_places) =
        container_resources(own, &service.resources, &spec.resources.containers, context.naming.dialect);
    if let Some((_, first)) = resource_places.first() {
        places.push((format!("{path}.resources"), first.clone()));
    }
    places.extend(resource_places.into_iter().map(|(below, place)| (format!("{path}.resources.{below}"), place)));
    if !resources.is_empty() {
        object.insert("resources".to_owned(), resources.into());
    }
    let (security, security_places) = security_context(context, service);
    object.insert("securityContext".to_owned(), security);
    places.extend(security_places.into_iter().map(|(below, place)| (format!("{path}.securityContext.{below}"), place)));
    let route = context.readiness_ports.get(name).copied().filter(|_| role == Role::Regular);
    // Nobody waits for a container of a Job to be ready, only for its end.
    if role != Role::Job || stage != Stage::Regular {
        for (member, probe) in probes(service, stage, route, context.naming.is_compose()) {
            let check = service.healthcheck.as_ref().filter(|_| context.naming.is_compose() && has_check(service));
            let below = check.map(|check| probe_places(check, member)).unwrap_or_default();
            places.extend(below.into_iter().map(|(below, place)| (format!("{path}.{below}"), place)));
            object.insert(member.to_owned(), probe);
        }
    }
    for (member, is_wished) in [("stdin", service.has_stdin), ("tty", service.has_terminal)] {
        if is_wished {
            object.insert(member.to_owned(), true.into());
        }
    }
    Container { object: Value::Object(object), places }
}

fn image<'s>(context: &'s Context<'_>, service: &'s Service, role: Role) -> (String, Option<&'s Place>) {
    let spec = &context.checked.spec;
    let can_override = role == Role::Regular || context.naming.is_compose();
    if let Some(image) = spec.image_overrides.get(&service.name.value).filter(|_| can_override) {
        return (image.value.clone(), Some(&image.place));
    }
    let Some(image) = &service.image else { return (String::new(), None) };
    let name = context.variables.text(&image.value);
    let name = match &spec.image_registry {
        Some(registry) => super::image::in_registry(&name, &registry.value, &context.naming),
        None => name,
    };
    (name, Some(&image.place))
}

fn words(context: &Context<'_>, command: &Command, is_entrypoint: bool) -> Vec<Value> {
    let variables = &context.variables;
    match command {
        Command::Words(words) => words.iter().map(|word| variables.word(&word.value).into()).collect(),
        Command::Text(text) if context.naming.is_compose() => {
            // Compose interpolates before it splits.
            shell_words(&variables.word(&text.value)).into_iter().map(Value::from).collect()
        }
        Command::Text(text) if is_entrypoint => vec![text.value.as_str().into()],
        Command::Text(text) => text.value.split_whitespace().map(Value::from).collect(),
    }
}

fn env_from(context: &Context<'_>) -> Vec<Value> {
    let mut sources = Vec::new();
    let generated = context.naming.object_name(GENERATED);
    if !context.naming.is_compose() {
        sources.push(object! {"secretRef" => object! {"name" => generated, "optional" => true}});
    } else if !context.checked.generated.is_empty() {
        sources.push(object! {"secretRef" => object! {"name" => generated}});
    }
    let others = context.checked.spec.secrets.iter();
    sources.extend(others.map(|name| json!({"secretRef": {"name": name.value, "optional": true}})));
    sources
}

fn ports(service: &Service) -> Vec<Value> {
    let mut seen: Vec<(u16, &str)> = Vec::with_capacity(service.ports.len());
    for port in service.ports.iter().chain(&service.exposed) {
        let key = (port.container, port.protocol.as_str());
        if !seen.contains(&key) {
            seen.push(key);
        }
    }
    seen.into_iter().map(|(port, protocol)| object! {"containerPort" => port, "protocol" => protocol}).collect()
}

fn is_read_only(context: &Context<'_>, options: &[String]) -> bool {
    if context.naming.is_compose() {
        options.iter().flat_map(|option| option.split(',')).any(|option| option == "ro")
    } else {
        options == ["ro"]
    }
}

fn mounts(context: &Context<'_>, service: &Service, takes_certificates: bool) -> Vec<Value> {
    let mut mounts = Vec::with_capacity(service.volumes.len());
    for (index, mount) in service.volumes.iter().enumerate() {
        let anonymous;
        let (volume, sub_path) = match &mount.source {
            VolumeSource::Named(name) => (name.as_str(), None),
            VolumeSource::HostPath(path) => match context.config_maps.binds.get(path) {
                Some(bind) => (bind.volume.as_str(), bind.sub_path.as_deref()),
                None => continue,
            },
            VolumeSource::Anonymous if context.naming.is_compose() => {
                anonymous = anonymous_volume(&service.name.value, index);
                (anonymous.as_str(), None)
            }
            VolumeSource::Anonymous => continue,
        };
        let mut object = object! {
            "name" => volume,
            "mountPath" => mount.target.as_str(),
            "readOnly" => is_read_only(context, &mount.options),
        };
        if let Some(sub_path) = sub_path.or(mount.sub_path.as_deref()) {
            object["subPath"] = sub_path.into();
        }
        mounts.push(object);
    }
    for (index, mount) in service.memory_mounts.iter().enumerate() {
        let name = memory_volume(&service.name.value, index);
        mounts.push(object! {"name" => name, "mountPath" => mount.target.as_str(), "readOnly" => false});
    }
    mounts.extend(context.granted_files.mounts(service));
    if takes_certificates {
        for index in 0..context.checked.spec.ca_certificates.len() {
            let key = certificate_key(index);
            mounts.push(json!({
                "name": CERTIFICATE_VOLUME,
                "mountPath": format!("{CERTIFICATE_DIRECTORY}/{key}"),
                "subPath": key,
                "readOnly": true,
            }));
        }
    }
    mounts
}
