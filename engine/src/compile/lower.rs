//! Lowering: from checked files to resources.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::json;

use crate::address::{Address, ResourceType};
use crate::code::Code;
use crate::compose::{ComposeFile, Service};
use crate::finding::Finding;
use crate::place::Place;
use crate::resource::{Resource, Target};
use crate::source::{SourceReader, join_path};
use crate::spec::{DeployTo, read_config_env};

use super::config_map::{ConfigMaps, config_maps};
use super::container::Role;
use super::dependency::{Workload, dependencies};
use super::environment::Variables;
use super::granted_file::{GrantedFiles, granted_files};
use super::ingress::ingress;
use super::input::{CheckedDeployment, CompiledDeployment};
use super::naming::Naming;
use super::volume::{Volumes, volumes};
use super::{hook, places, secret, service, tenant, workload};

/// The annotation on a Namespace that names the deployment directory it belongs to.
pub const OWNER_ANNOTATION: &str = "laconic.com/deployment-dir";

/// What the parts of a deployment are compiled from.
pub(super) struct Context<'a> {
    pub checked: &'a CheckedDeployment,
    pub reader: &'a dyn SourceReader,
    pub naming: Naming<'a>,
    pub target: Target,
    pub variables: Variables<'a>,
    pub config_maps: ConfigMaps,
    /// `secrets` and `configs` of compose files.
    pub granted_files: GrantedFiles,
    /// The names under `configmaps:`, compiled or not.
    pub config_map_names: HashSet<&'a str>,
    pub volumes: Volumes,
    /// The port by which a container's readiness is known: that of its first route.
    pub readiness_ports: HashMap<&'a str, u16>,
    pub registry_secret: Option<String>,
    /// Whether the registry Secret is ours to make; without a token source pods only refer to it.
    pub has_registry_secret: bool,
    pub any_host_network: bool,
}

impl<'a> Context<'a> {
    fn new(checked: &'a CheckedDeployment, reader: &'a dyn SourceReader) -> Self {
        let spec = &checked.spec;
        let naming = Naming::new(checked);
        let target = match spec.deploy_to.as_ref().map(|deploy_to| deploy_to.value) {
            Some(DeployTo::Kubernetes) => Target::Kubernetes(checked.name.clone()),
            Some(DeployTo::KindCluster) | None => Target::Kind(match &spec.kind_cluster_name {
                Some(name) => name.value.clone(),
                None => checked.identity.cluster_id.clone(),
            }),
        };
        let mut readiness_ports = HashMap::new();
        for route in spec.http_proxy.iter().flat_map(|proxy| &proxy.routes) {
            readiness_ports.entry(route.container.value.as_str()).or_insert(route.port.value);
        }
        let mut config_maps = config_maps(checked, &naming, reader);
        let granted_files = granted_files(checked, &naming, reader, &mut config_maps);
        let mut services = checked.pods.iter().flat_map(|(_, file)| &file.services);
        Self {
            checked,
            reader,
            variables: Variables::new(checked),
            config_maps,
            granted_files,
            config_map_names: spec.configmaps.iter().map(|(name, _)| name.value.as_str()).collect(),
            volumes: volumes(checked, &naming, &target),
            readiness_ports,
            registry_secret: secret::registry_secret_name(checked, &naming),
            has_registry_secret: false,
            any_host_network: services.any(|service| service.host_network.is_some()),
            naming,
            target,
        }
    }

    /// Whether a pod gets affinities, tolerations, runtime class, host network and certificates. laconic-so gives them to
    /// Deployments alone.
    pub(super) fn takes_pod_settings(&self, role: Role) -> bool {
        match role {
            Role::Regular => true,
            Role::Init | Role::Job => self.naming.is_compose(),
        }
    }

    /// The `imagePullPolicy` of a container.
    pub(super) fn pull_policy(&self, role: Role, service: &Service) -> &str {
        let given = self.checked.spec.image_pull_policy.as_ref();
        match given.filter(|_| role != Role::Job || self.naming.is_compose()) {
            Some(policy) => &policy.value,
            None if service.pull_policy.is_some() => service.pull_policy.as_ref().map_or("Always", |it| it.value),
            None if self.target.kind_cluster().is_some() => "IfNotPresent",
            None => "Always",
        }
    }

    /// The variables of a service's `env_file`, which laconic-so ignores.
    pub(super) fn env_files<'s>(&self, service: &'s Service) -> Vec<(String, String, &'s Place)> {
        if !self.naming.is_compose() {
            return Vec::new();
        }
        let mut variables = Vec::new();
        for file in &service.env_files {
            let path = join_path(&self.checked.compose_directory, &self.variables.text(&file.path.value));
            let Ok(bytes) = self.reader.read(&path) else { continue };
            let text = String::from_utf8_lossy(&bytes);
            let place = &file.path.place;
            if file.is_raw {
                variables.extend(raw_lines(&text).map(|(name, value)| (name, value, place)));
                continue;
            }
            let (read, _) = read_config_env(&path.as_str().into(), &text);
            variables.extend(read.variables.into_iter().map(|variable| (variable.name, variable.value, place)));
        }
        variables
    }
}

/// Whether there is anything to run: profiles may leave a whole file out.
fn has_containers(context: &Context<'_>, file: &ComposeFile) -> bool {
    !context.naming.is_compose() || !file.services.is_empty()
}

fn workload_address(context: &Context<'_>, (is_job, index): Workload) -> Option<Address> {
    let (files, resource_type) = match is_job {
        true => (&context.checked.jobs, ResourceType::Job),
        false => (&context.checked.pods, ResourceType::Deployment),
    };
    files.get(index).map(|(name, _)| context.naming.address(resource_type, name))
}

/// The variables of an `env_file` whose values are taken as they are.
fn raw_lines(text: &str) -> impl Iterator<Item = (String, String)> + use<'_> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).map(|(name, value)| (name.trim().to_owned(), value.to_owned()))
}

/// Compiles a checked deployment. It always gives resources; what is wrong with them is in the findings.
#[must_use]
pub fn lower(checked: &CheckedDeployment, reader: &dyn SourceReader) -> (CompiledDeployment, Vec<Finding>) {
    let mut context = Context::new(checked, reader);
    let mut findings = std::mem::take(&mut context.volumes.findings);
    let mut resources = vec![namespace(&context)];
    if let Some(registry) = secret::registry(checked, &context.naming) {
        context.has_registry_secret = true;
        resources.push(registry);
    }
    resources.extend(secret::generated(checked, &context.naming));
    resources.extend(secret::certificates(checked, &context.naming));
    resources.append(&mut context.granted_files.resources);
    let mut needs = if context.naming.is_compose() { dependencies(checked).needs } else { BTreeMap::new() };
    let mut needs_of = |workload: Workload| {
        let needs = needs.remove(&workload).unwrap_or_default().into_iter();
        needs.filter_map(|needed| workload_address(&context, needed)).collect::<Vec<_>>()
    };
    let first_workload = resources.len();
    let mut counts = Vec::with_capacity(checked.pods.len() + checked.jobs.len());
    for (index, (name, file)) in checked.pods.iter().enumerate() {
        if !has_containers(&context, file) {
            continue;
        }
        let mut deployment = workload::deployment(&context, name, file);
        deployment.needs.extend(needs_of((false, index)));
        resources.push(deployment);
        counts.push(workload::replicas(checked, file).0);
    }
    for (index, (name, file)) in checked.jobs.iter().enumerate() {
        if !has_containers(&context, file) {
            continue;
        }
        let mut job = workload::job(&context, name, file);
        job.needs.extend(needs_of((true, index)));
        resources.push(job);
        counts.push(1);
    }
    let workloads: Vec<(&Resource, u32)> = resources.iter().skip(first_workload).zip(counts).collect();
    let (tenant, wish_places) = tenant::tenant(&context, &workloads);
    resources.extend(service::pod_services(&context));
    resources.extend(service::node_ports(&context));
    resources.extend(service::compose_names(&context, &mut findings));
    resources.extend(service::external(&context, &mut findings));
    resources.extend(ingress(&context));
    resources.extend(std::mem::take(&mut context.volumes.resources));
    resources.extend(std::mem::take(&mut context.config_maps.by_volume).into_values().map(|map| map.resource));
    hook::hooks(checked, &context.naming, reader, &mut resources);
    let mut images = BTreeMap::new();
    for resource in &mut resources {
        places::complete(&context, resource);
        settle(resource);
        if context.target.kind_cluster().is_some() {
            super::image::collect_built(checked, resource, &mut images);
        }
        resource.attributes.pack();
    }
    resources.sort_unstable_by(|left, right| left.address.cmp(&right.address));
    resources.dedup_by(|next, kept| {
        let is_same = next.address == kept.address;
        if is_same {
            findings.push(same_address(next, kept));
        }
        is_same
    });
    let compiled = CompiledDeployment {
        name: checked.name.clone(),
        identity: checked.identity.clone(),
        target: context.target,
        resources,
        tenant,
        wish_places,
        ignored: checked.spec.ignore.iter().map(|path| path.value.clone()).collect(),
        suppressed: checked.spec.suppress.iter().map(|(code, reason)| (code.value.clone(), reason.clone())).collect(),
        volumes: std::mem::take(&mut context.volumes.addresses),
        written_names: super::check::written_names(&checked.spec.moved),
        images,
    };
    (compiled, findings)
}

/// Two things of one name, such as an external service that is called as a pod is.
fn same_address(second: &Resource, first: &Resource) -> Finding {
    let name = first.address.short_name();
    let message = format!("two things would both be `{}`", first.address);
    let finding = Finding::new(Code::ObjectCollision, message).about(name).help(format!("rename one `{name}`"));
    match (&second.place, &first.place) {
        (Some(second), Some(first)) => finding.at(second).label(first, "the other one"),
        (second, first) => finding.at_maybe(second.as_ref().or(first.as_ref())),
    }
}

/// Needs and places in order, so that equal inputs give equal bytes.
pub(super) fn settle(resource: &mut Resource) {
    resource.needs.sort_unstable();
    resource.needs.dedup();
    resource.places.sort_by(|(left, _), (right, _)| left.cmp(right));
    resource.places.dedup_by(|(next, _), (kept, _)| next == kept);
}

fn namespace(context: &Context<'_>) -> Resource {
    let naming = &context.naming;
    let attributes = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": naming.namespace,
            "labels": naming.labels(),
            "annotations": {OWNER_ANNOTATION: context.checked.directory},
        },
    });
    let mut resource = Resource::new(naming.namespace_address(), attributes);
    let spec = &context.checked.spec;
    resource.place = spec.namespace.as_ref().or(spec.stack.as_ref()).map(|written| written.place.clone());
    resource.needs.extend(context.target.kind_cluster().map(Address::kind_cluster));
    resource
}
