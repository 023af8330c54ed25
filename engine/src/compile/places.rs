//! Where the fields of objects are written, as far as the code that makes them does not note it itself.

use crate::address::ResourceType;
use crate::compose::{Command, ComposeFile, Service, VolumeSource};
use crate::place::Place;
use crate::resource::Resource;

use super::check::host_path_volume_name;
use super::container::CERTIFICATE_VOLUME;
use super::lower::Context;
use super::naming::member_path;
use super::pod::{anonymous_volume, memory_volume};
use super::secret::{CA_CERTIFICATES, GENERATED, certificate_key};
use super::start_order::{Stage, start_order};

/// Adds the places that a resource's fields have beside those it knows already.
pub(super) fn complete(context: &Context<'_>, resource: &mut Resource) {
    let mut places = Places { context, places: Vec::new() };
    let name = resource.address.short_name().to_owned();
    match resource.address.resource_type {
        ResourceType::Deployment => places.workload(&context.checked.pods, &name, false),
        ResourceType::Job => places.workload(&context.checked.jobs, &name, true),
        ResourceType::Service => places.service(&name, resource.place.as_ref()),
        ResourceType::Ingress => places.ingress(),
        ResourceType::Secret => places.secret(&name, resource.place.as_ref()),
        ResourceType::PersistentVolumeClaim => places.claim(&name),
        ResourceType::ConfigMap => {
            places.add("data", resource.place.as_ref());
            places.add("binaryData", resource.place.as_ref());
        }
        ResourceType::Endpoints => places.add("subsets", resource.place.as_ref()),
        ResourceType::Namespace => {
            let written = context.checked.spec.namespace.as_ref();
            places.add("metadata.name", written.map(|namespace| &namespace.place));
        }
        _ => {}
    }
    resource.places.extend(places.places);
}

struct Places<'a, 'c> {
    context: &'a Context<'c>,
    places: Vec<(String, Place)>,
}

impl Places<'_, '_> {
    fn add(&mut self, path: impl Into<String>, place: Option<&Place>) {
        self.places.extend(place.map(|place| (path.into(), place.clone())));
    }

    fn workload(&mut self, files: &[(String, ComposeFile)], name: &str, is_job: bool) {
        let Some((_, file)) = files.iter().find(|(pod, _)| pod == name) else { return };
        const POD: &str = "spec.template.spec";
        let is_compose = self.context.naming.is_compose();
        let order = if is_compose { start_order(file) } else { Vec::new() };
        for service in &file.services {
            let runs_first =
                |(other, stage): &(&Service, Stage)| std::ptr::eq(*other, service) && *stage != Stage::Regular;
            let is_init = if is_compose { order.iter().any(runs_first) } else { service.is_init && !is_job };
            let list = if is_init { "initContainers" } else { "containers" };
            let path = format!("{POD}.{list}[{}]", service.name.value);
            self.container(&path, service);
            if !is_init && !is_job {
                let mut routes = self.context.checked.spec.http_proxy.iter().flat_map(|proxy| &proxy.routes);
                let route = routes.find(|route| route.container.value == service.name.value);
                self.add(format!("{path}.readinessProbe"), route.map(|route| &route.port.place));
            }
        }
        self.volumes(POD, file);
        self.pod(POD, file);
    }

    fn container(&mut self, path: &str, service: &Service) {
        let spec = &self.context.checked.spec;
        self.add(format!("{path}.name"), Some(&service.name.place));
        self.add(format!("{path}.imagePullPolicy"), spec.image_pull_policy.as_ref().map(|policy| &policy.place));
        for (member, command) in [("command", &service.entrypoint), ("args", &service.command)] {
            match command {
                Some(Command::Text(text)) => self.add(format!("{path}.{member}"), Some(&text.place)),
                Some(Command::Words(words)) => {
                    for (index, word) in words.iter().enumerate() {
                        self.add(format!("{path}.{member}[{index}]"), Some(&word.place));
                    }
                }
                None => {}
            }
        }
        self.add(format!("{path}.workingDir"), service.working_dir.as_ref().map(|directory| &directory.place));
        let certificate = spec.ca_certificates.first().map(|file| &file.place);
        self.add(format!("{path}.env[NODE_EXTRA_CA_CERTS]"), certificate);
        let has_generated = !self.context.naming.is_compose() || !self.context.checked.generated.is_empty();
        for (index, secret) in spec.secrets.iter().enumerate() {
            let index = index + usize::from(has_generated);
            self.add(format!("{path}.envFrom[{index}]"), Some(&secret.place));
        }
        for port in &service.ports {
            let key = format!("{}/{}", port.container, port.protocol.to_ascii_lowercase());
            self.add(format!("{path}.ports[{key}]"), Some(&port.place));
        }
        for mount in &service.volumes {
            self.add(format!("{path}.volumeMounts[{}]", mount.target), Some(&mount.place));
        }
        for mount in &service.memory_mounts {
            self.add(format!("{path}.volumeMounts[{}]", mount.target), Some(&mount.place));
        }
        for (index, file) in spec.ca_certificates.iter().enumerate() {
            let target = format!("/etc/ssl/certs/{}", certificate_key(index));
            self.add(format!("{path}.volumeMounts[{target}]"), Some(&file.place));
        }
        let security = format!("{path}.securityContext");
        self.add(format!("{security}.privileged"), spec.security.privileged_place.as_ref());
        for (index, capability) in spec.security.capabilities.iter().enumerate() {
            self.add(format!("{security}.capabilities.add[{index}]"), Some(&capability.place));
        }
        let user = service.user.as_ref().map(|user| &user.place);
        self.add(format!("{security}.runAsUser"), user);
        self.add(format!("{security}.runAsGroup"), user);
    }

    fn volumes(&mut self, pod: &str, file: &ComposeFile) {
        for volume in &file.volumes {
            self.add(format!("{pod}.volumes[{}]", volume.value), Some(&volume.place));
        }
        for service in &file.services {
            for (index, mount) in service.volumes.iter().enumerate() {
                let name = match &mount.source {
                    VolumeSource::HostPath(path) => host_path_volume_name(path),
                    VolumeSource::Anonymous => anonymous_volume(&service.name.value, index),
                    VolumeSource::Named(_) => continue,
                };
                self.add(format!("{pod}.volumes[{name}]"), Some(&mount.place));
            }
        }
        for service in &file.services {
            for (index, mount) in service.memory_mounts.iter().enumerate() {
                let volume = format!("{pod}.volumes[{}]", memory_volume(&service.name.value, index));
                let size = mount.size.as_ref().map(|size| &size.place);
                self.add(format!("{volume}.emptyDir.sizeLimit"), size);
                self.add(volume, Some(&mount.place));
            }
        }
        let certificate = self.context.checked.spec.ca_certificates.first().map(|file| &file.place);
        self.add(format!("{pod}.volumes[{CERTIFICATE_VOLUME}]"), certificate);
    }

    fn pod(&mut self, pod: &str, file: &ComposeFile) {
        let spec = &self.context.checked.spec;
        let credentials = spec.registry_credentials.as_ref().map(|credentials| &credentials.place);
        self.add(format!("{pod}.imagePullSecrets"), credentials);
        let terms = "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
        for (index, entry) in spec.node_affinities.iter().enumerate() {
            let term = format!("{pod}.{terms}[{index}]");
            self.add(format!("{term}.matchExpressions[0].values"), Some(&entry.value.place));
            self.add(term, Some(&entry.key.place));
        }
        for (index, entry) in spec.node_tolerations.iter().enumerate() {
            self.add(format!("{pod}.tolerations[{index}].value"), Some(&entry.value.place));
            self.add(format!("{pod}.tolerations[{index}]"), Some(&entry.key.place));
        }
        let security = &spec.security;
        let memlock = security.unlimited_memlock.as_ref().map(|wished| &wished.place);
        let class = security.runtime_class.as_ref().map(|class| &class.place);
        self.add(format!("{pod}.runtimeClassName"), class.or(memlock));
        let others = self.context.checked.pods.iter().flat_map(|(_, file)| &file.services);
        let network = file.services.iter().chain(others).find_map(|service| service.host_network.as_ref());
        self.add(format!("{pod}.hostNetwork"), network);
        self.add(format!("{pod}.dnsPolicy"), network);
    }

    fn service(&mut self, name: &str, place: Option<&Place>) {
        let spec = &self.context.checked.spec;
        let is_external = spec.external_services.iter().any(|external| external.name.value == name);
        if is_external || name.starts_with("nodeport-") || name.starts_with("compose-") {
            self.add("spec.ports", place);
            self.add("spec.externalName", place);
            return;
        }
        let file = self.context.checked.pods.iter().find(|(pod, _)| pod == name).map(|(_, file)| file);
        for route in spec.http_proxy.iter().flat_map(|proxy| &proxy.routes) {
            let is_its = file.is_some_and(|file| file.service(&route.container.value).is_some());
            if is_its || !self.context.naming.has_several_pods {
                self.add(format!("spec.ports[{}/tcp]", route.port.value), Some(&route.port.place));
            }
        }
        if let Some((container, port)) = &spec.maintenance_service {
            self.add(format!("spec.ports[{port}/tcp]"), Some(&container.place));
        }
    }

    fn ingress(&mut self) {
        for (index, proxy) in self.context.checked.spec.http_proxy.iter().enumerate() {
            let host = &proxy.host_name.value;
            self.add(format!("spec.rules[{host}].host"), Some(&proxy.host_name.place));
            self.add(format!("spec.tls[{index}]"), Some(&proxy.host_name.place));
            for route in &proxy.routes {
                let path = format!("spec.rules[{host}].http.paths[{}]", route.path.value);
                self.add(format!("{path}.path"), Some(&route.path.place));
                self.add(format!("{path}.backend.service.name"), Some(&route.container.place));
                self.add(format!("{path}.backend.service.port"), Some(&route.port.place));
            }
        }
    }

    fn secret(&mut self, name: &str, place: Option<&Place>) {
        let spec = &self.context.checked.spec;
        match name {
            GENERATED => {
                for (name, value) in &spec.config {
                    self.add(member_path("data", &name.value), Some(&value.place));
                }
            }
            CA_CERTIFICATES => {
                for (index, file) in spec.ca_certificates.iter().enumerate() {
                    self.add(member_path("data", &certificate_key(index)), Some(&file.place));
                }
            }
            _ => {
                let credentials = spec.registry_credentials.as_ref();
                let token = credentials.and_then(|it| it.token_file.as_ref().or(it.token_env.as_ref()));
                self.add("data", token.map(|token| &token.place).or(place));
            }
        }
    }

    fn claim(&mut self, name: &str) {
        let volumes = &self.context.checked.spec.volumes;
        let path = volumes.iter().find(|(volume, _)| volume.value == name).and_then(|(_, path)| path.as_ref());
        let path = path.map(|path| &path.place);
        self.add("spec.storageClassName", path);
        self.add("spec.volumeName", path);
    }
}
