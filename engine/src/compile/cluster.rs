//! The desired set of a kind cluster: what its registered deployments wish of it together with those of this plan.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::address::{Address, ResourceType, Scope};
use crate::code::{Code, Severity};
use crate::finding::Finding;
use crate::place::Place;
use crate::resource::Resource;
use crate::state::{State, Tenant};

use super::caddy::{self, CaddySettings, caddy_system};
use super::knob::{ACME_EMAIL, CADDY_IMAGE, NODE_IMAGE, Settled};
use super::lower::settle;
use super::pod::HIGH_MEMLOCK;
use super::topology;
use super::volume::UMBRELLA;

/// Where a deployment's wishes are written: see [`super::CompiledDeployment::wish_places`].
pub type WishPlaces = BTreeMap<String, Place>;

/// The deployments of a plan with the places of their wishes; `None` for one that leaves.
pub type PlannedTenants = BTreeMap<String, Option<(Tenant, WishPlaces)>>;

/// What a cluster's desired set is made of.
#[derive(Clone, Debug)]
pub struct ClusterInput<'a> {
    /// The cluster's name.
    pub name: &'a str,
    /// The deployments in the cluster's register, as recorded at their last apply.
    pub registered: &'a BTreeMap<String, Tenant>,
    /// The deployments of this plan.
    pub planned: PlannedTenants,
    /// The recorded state of the cluster, with the bodies of its resources loaded; `None` when there is none.
    pub recorded: Option<&'a State>,
}

/// What a cluster's desired set comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterCompilation {
    /// Its resources, in cluster scope, sorted by address; none when no deployment is left.
    pub resources: Vec<Resource>,
    /// What there is to say.
    pub findings: Vec<Finding>,
    /// The register as it is when the plan is done.
    pub tenants: BTreeMap<String, Tenant>,
}

/// A deployment on the cluster, with what is known of its wishes.
#[derive(Debug)]
pub(super) struct Claimant<'a> {
    pub name: &'a str,
    pub tenant: &'a Tenant,
    /// As registered before this plan.
    pub previous: Option<&'a Tenant>,
    /// Whether this plan compiles it.
    pub is_planned: bool,
    places: Option<&'a BTreeMap<String, Place>>,
}

impl<'a> Claimant<'a> {
    /// Where a wish is written.
    pub(super) fn place(&self, field: &str) -> Option<&'a Place> {
        self.places?.get(field)
    }

    /// Whether a part of the register entry is other than it was.
    pub(super) fn is_new<T: PartialEq + ?Sized + 'a>(&self, part: impl Fn(&'a Tenant) -> Option<&'a T>) -> bool {
        self.is_planned && self.previous.and_then(&part) != part(self.tenant)
    }
}

/// What is recorded of a cluster, as far as its desired set depends on it.
#[derive(Default)]
struct RecordedCluster {
    has_cluster: bool,
    node_image: Option<String>,
    patches: Vec<Value>,
    caddy_image: Option<String>,
    acme_email: Option<String>,
    mounts: BTreeMap<String, String>,
    ports: BTreeMap<String, u16>,
}

impl RecordedCluster {
    fn read(state: &State) -> Self {
        let mut recorded = Self::default();
        for (address, entry) in &state.resources {
            let value = entry.desired.value.as_deref();
            let text = |pointer: &str| value?.pointer(pointer)?.as_str().map(str::to_owned);
            let name = address.short_name();
            match address.resource_type {
                ResourceType::KindCluster => {
                    recorded.has_cluster = true;
                    recorded.node_image = text("/image");
                    let patches = value.and_then(|value| value.get("containerdConfigPatches")?.as_array().cloned());
                    recorded.patches = patches.unwrap_or_default();
                }
                ResourceType::KindMount => {
                    recorded.mounts.extend(text("/hostPath").map(|host| (name.to_owned(), host)));
                }
                ResourceType::KindPort => {
                    let port = value.and_then(|value| u16::try_from(value.get("containerPort")?.as_u64()?).ok());
                    recorded.ports.extend(port.map(|port| (name.to_owned(), port)));
                }
                ResourceType::Deployment if name == caddy::CONTROLLER => {
                    recorded.caddy_image = text("/spec/template/spec/containers/0/image");
                }
                ResourceType::ConfigMap if name == caddy::CONFIG_MAP => recorded.acme_email = text("/data/email"),
                _ => {}
            }
        }
        recorded
    }
}

/// The mounts, ports and runtimes of a cluster, settled.
struct Topology<'a> {
    mounts: BTreeMap<String, topology::Claimed<'a, String>>,
    ports: BTreeMap<String, topology::Claimed<'a, u16>>,
    memlock: Option<(String, &'a Claimant<'a>)>,
}

impl<'a> Topology<'a> {
    fn settle(
        cluster: &str,
        claimants: &'a [Claimant<'a>],
        recorded: &RecordedCluster,
        findings: &mut Vec<Finding>,
    ) -> Self {
        let recorded_root = recorded.mounts.get(UMBRELLA).map(String::as_str);
        let root = topology::mount_root(cluster, claimants, recorded_root, findings);
        if root.is_none() && !recorded.has_cluster {
            findings.push(no_umbrella(cluster, claimants));
        }
        let mut mounts = topology::mounts(claimants, &recorded.mounts, findings);
        let mut ports = topology::ports(claimants, findings);
        topology::overlaps(claimants, findings);
        mounts.extend(root.map(|root| (UMBRELLA.to_owned(), root)));
        let memlock = memlock(claimants, recorded);
        if let Some((path, claimant)) = &memlock {
            mounts.entry(path.clone()).or_insert_with(|| (path.clone(), Some(claimant)));
        }
        let kept = keep_recorded(recorded, &mut mounts, &mut ports);
        if !kept.is_empty() {
            findings.push(unwished(cluster, &kept));
        }
        Self { mounts, ports, memlock }
    }
}

/// The desired set of a kind cluster.
#[must_use]
pub fn compose_cluster(input: &ClusterInput<'_>) -> ClusterCompilation {
    let claimants = claimants(input);
    let tenants = claimants.iter().map(|claimant| (claimant.name.to_owned(), claimant.tenant.clone())).collect();
    let mut findings = Vec::new();
    if claimants.is_empty() {
        return ClusterCompilation { resources: Vec::new(), findings, tenants };
    }
    let recorded = input.recorded.map(RecordedCluster::read).unwrap_or_default();
    let topology = Topology::settle(input.name, &claimants, &recorded, &mut findings);
    let node_image = NODE_IMAGE.settle(input.name, &claimants, recorded.node_image.as_deref(), &mut findings);
    let mut resources = node(input.name, &topology, &node_image, &recorded);
    resources.extend(runtime_class(input.name, &topology));
    resources.extend(ingress_system(input.name, &claimants, &topology, &recorded, &mut findings));
    resources.sort_unstable_by(|left, right| left.address.cmp(&right.address));
    ClusterCompilation { resources, findings, tenants }
}

fn no_umbrella(cluster: &str, claimants: &[Claimant<'_>]) -> Finding {
    let planned = claimants.iter().find(|claimant| claimant.is_planned);
    let about = planned.map_or(cluster, |claimant| claimant.name);
    let message = format!(
        "cluster {cluster} is made without an umbrella mount: a later stack with a volume on the host will need the \
         cluster to be made anew"
    );
    Finding::new(Code::NoUmbrellaMount, message)
        .about(about)
        .at_maybe(planned.and_then(|claimant| claimant.place("deploy_to")))
        .help("set `kind-mount-root: /srv/kind` (or another directory of the host) and put volumes under it")
}

/// The cluster itself with its mounts and ports.
fn node(cluster: &str, topology: &Topology<'_>, image: &Settled<'_>, recorded: &RecordedCluster) -> Vec<Resource> {
    let scope = Scope::cluster(cluster);
    let address = Address::kind_cluster(cluster);
    let mut resources = Vec::new();
    let mut places = Vec::new();
    places.extend(image.by.and_then(|by| Some(("image".to_owned(), by.place("node_image")?.clone()))));
    let mut add = |resource_type, path: String, name: &str, attributes: Value, place: Option<&Place>| {
        places.extend(place.map(|place| (path, place.clone())));
        let mut resource = Resource::new(Address::new(resource_type, scope.clone(), name), attributes);
        resource.needs.push(address.clone());
        resource.place = place.cloned();
        resources.push(resource);
    };
    let (mut extra_mounts, mut port_mappings) = (Vec::new(), Vec::new());
    for (container, (host, claimant)) in &topology.mounts {
        let field = mount_field(container);
        let place = claimant.and_then(|claimant| claimant.place(&field).or_else(|| claimant.place("memlock_spec")));
        let attributes = json!({"containerPath": container, "hostPath": host, "propagation": "HostToContainer"});
        extra_mounts.push(attributes.clone());
        add(ResourceType::KindMount, format!("extraMounts[{container}]"), container, attributes, place);
    }
    for (name, (container, claimant)) in &topology.ports {
        let Some(attributes) = port_mapping(name, *container) else { continue };
        let place = claimant.and_then(|claimant| claimant.place(&format!("ports.{name}")));
        port_mappings.push(attributes.clone());
        add(ResourceType::KindPort, format!("extraPortMappings[{name}]"), name, attributes, place);
    }
    port_mappings.sort_by_cached_key(|mapping| (mapping["hostPort"].as_u64(), mapping["protocol"].to_string()));
    let containerd_patches = match &topology.memlock {
        Some((path, _)) => vec![Value::String(memlock_patch(path))],
        None => recorded.patches.clone(),
    };
    let attributes = json!({
        "name": cluster,
        "image": image.value,
        "extraMounts": extra_mounts,
        "extraPortMappings": port_mappings,
        "containerdConfigPatches": containerd_patches,
        "kubeadmConfigPatches": [INGRESS_READY_PATCH],
    });
    let mut kind_cluster = Resource::new(address, attributes);
    kind_cluster.places = places;
    settle(&mut kind_cluster);
    resources.push(kind_cluster);
    resources
}

fn runtime_class(cluster: &str, topology: &Topology<'_>) -> Option<Resource> {
    let (_, claimant) = topology.memlock.as_ref()?;
    let attributes = json!({
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": HIGH_MEMLOCK},
        "handler": HIGH_MEMLOCK,
    });
    let address = Address::new(ResourceType::RuntimeClass, Scope::cluster(cluster), HIGH_MEMLOCK);
    let mut class = Resource::new(address, attributes);
    class.needs.push(Address::kind_cluster(cluster));
    class.place = claimant.place("memlock_spec").cloned();
    Some(class)
}

/// Caddy, when any deployment serves anything.
fn ingress_system(
    cluster: &str,
    claimants: &[Claimant<'_>],
    topology: &Topology<'_>,
    recorded: &RecordedCluster,
    findings: &mut Vec<Finding>,
) -> Vec<Resource> {
    let image = CADDY_IMAGE.settle(cluster, claimants, recorded.caddy_image.as_deref(), findings);
    let email = ACME_EMAIL.settle(cluster, claimants, recorded.acme_email.as_deref(), findings);
    let serving = claimants.iter().filter(|claimant| claimant.tenant.wishes.ingress);
    // Of those that serve, one of this plan has a line to show.
    let Some(first) = serving.min_by_key(|claimant| !claimant.is_planned) else { return Vec::new() };
    let settings = CaddySettings {
        image: image.value.as_deref().unwrap_or(caddy::DEFAULT_IMAGE),
        acme_email: email.value.as_deref().unwrap_or_default(),
        has_umbrella: topology.mounts.contains_key(UMBRELLA),
    };
    let mut system = caddy_system(cluster, settings);
    for resource in &mut system {
        resource.place = first.place("ingress").cloned();
        let (by, field, path) = match resource.address.resource_type {
            ResourceType::Deployment => {
                (image.by, "caddy_image", format!("spec.template.spec.containers[{}].image", caddy::CONTROLLER))
            }
            ResourceType::ConfigMap => (email.by, "acme_email", "data.email".to_owned()),
            _ => continue,
        };
        resource.places.extend(by.and_then(|by| by.place(field)).map(|place| (path, place.clone())));
    }
    system
}

/// The kubeadm patch of every cluster: makes the node one that Caddy's Deployment selects.
pub const INGRESS_READY_PATCH: &str = "\
kind: InitConfiguration
nodeRegistration:
  kubeletExtraArgs:
    node-labels: \"ingress-ready=true\"
";

/// The containerd patch that makes the runtime of unlimited locked memory, whose OCI spec is at a path of the node.
#[must_use]
pub fn memlock_patch(path: &str) -> String {
    format!(
        "[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.{HIGH_MEMLOCK}]\n  \
         runtime_type = \"io.containerd.runc.v2\"\n  base_runtime_spec = \"{path}\""
    )
}

fn mount_field(container: &str) -> String {
    if container == UMBRELLA { "mount_root".to_owned() } else { format!("mounts.{container}") }
}

fn port_mapping(name: &str, container: u16) -> Option<Value> {
    let (host, protocol) = name.split_once('/')?;
    let host: u16 = host.parse().ok()?;
    Some(json!({"containerPort": container, "hostPort": host, "protocol": protocol.to_ascii_uppercase()}))
}

fn claimants<'a>(input: &'a ClusterInput<'a>) -> Vec<Claimant<'a>> {
    let mut claimants = Vec::with_capacity(input.registered.len() + input.planned.len());
    for (name, tenant) in input.registered {
        if !input.planned.contains_key(name) {
            claimants.push(Claimant { name, tenant, previous: Some(tenant), is_planned: false, places: None });
        }
    }
    for (name, planned) in &input.planned {
        let Some((tenant, places)) = planned else { continue };
        let previous = input.registered.get(name);
        claimants.push(Claimant { name, tenant, previous, is_planned: true, places: Some(places) });
    }
    claimants.sort_unstable_by_key(|claimant| claimant.name);
    claimants
}

/// The OCI spec of the high-memlock runtime. All deployments have the same one, so that any of theirs serves all of them:
/// the one the cluster has, if it has one, because containerd patches cannot be changed.
fn memlock<'a>(claimants: &'a [Claimant<'a>], recorded: &RecordedCluster) -> Option<(String, &'a Claimant<'a>)> {
    let wishing =
        || claimants.iter().filter_map(|claimant| Some((claimant.tenant.wishes.memlock_spec.as_ref()?, claimant)));
    let (first, claimant) = wishing().next()?;
    let recorded = recorded.mounts.iter().find(|(container, host)| {
        container == host && recorded.patches.iter().any(|patch| patch.as_str() == Some(&memlock_patch(container)))
    });
    let path = recorded.map_or_else(|| first.clone(), |(container, _)| container.clone());
    let claimant = wishing().find(|(wish, _)| **wish == path).map_or(claimant, |(_, claimant)| claimant);
    Some((path, claimant))
}

/// Adds the mounts and ports that are recorded and that nobody wishes any more: a cluster cannot lose them without being
/// made anew, so wanting them away would be wanting that. Returns their names.
fn keep_recorded(
    recorded: &RecordedCluster,
    mounts: &mut BTreeMap<String, topology::Claimed<'_, String>>,
    ports: &mut BTreeMap<String, topology::Claimed<'_, u16>>,
) -> Vec<String> {
    let mut kept = Vec::new();
    for (container, host) in &recorded.mounts {
        if !mounts.contains_key(container) {
            mounts.insert(container.clone(), (host.clone(), None));
            kept.push(format!("mount {container} (from {host})"));
        }
    }
    for (name, container) in &recorded.ports {
        if !ports.contains_key(name) {
            ports.insert(name.clone(), (*container, None));
            kept.push(format!("port {name}"));
        }
    }
    kept
}

fn unwished(cluster: &str, kept: &[String]) -> Finding {
    let message = format!("cluster {cluster} has what no deployment wants any more: {}", kept.join(", "));
    Finding::new(Code::ClusterDiffers, message)
        .as_severity(Severity::Note)
        .about(cluster)
        .help("nothing to do: it stays until the cluster is made anew for another reason")
}
