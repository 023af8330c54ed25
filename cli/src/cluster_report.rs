//! What is known of a kind cluster, gathered for `cluster list` and `cluster show`: recorded, declared and live told apart.

use std::collections::{BTreeMap, BTreeSet};

use laconic_engine::address::{Address, ResourceType, Scope};
use laconic_engine::apply::{ObserveRequest, StateStore as _, TargetRequest};
use laconic_engine::certificate::{Certificates, backup_path};
use laconic_engine::compile::{ClusterInput, compose_cluster};
use laconic_engine::plan::danger::unknown_text;
use laconic_engine::resource::{CertificateBackup, ClusterIdentity, Observed, ObservedTarget, Target};
use laconic_engine::source::is_under;
use laconic_engine::state::{State, Tenant, VolumeStorage};
use serde_json::Value;

use crate::error::Result;
use crate::session::Session;
use crate::wire::{self, Host, LocalStore};

/// Whether a cluster is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It runs, and is the recorded one, or nothing is recorded.
    Running,
    /// One of its name runs that is not the recorded one.
    Another,
    /// There is none of its name.
    Absent,
    /// Nobody could tell.
    Unknown(String),
}

/// A mount or port mapping in the three places that speak of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fact {
    /// As state says it was made.
    pub recorded: Option<String>,
    /// As the registered deployments wish it.
    pub declared: Option<String>,
    /// As the running node has it.
    pub live: Option<String>,
}

/// A volume of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Where its bytes are: a directory of the host, or nothing for the inside of the cluster.
    pub host_path: Option<String>,
    /// Whether they outlive the cluster.
    pub outlives_cluster: bool,
    /// Why it may be otherwise than it seems.
    pub remark: Option<String>,
}

/// A registered deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resident {
    /// Its name.
    pub name: String,
    /// Whether it was stopped.
    pub stopped: bool,
    /// Whether it still has to come back after its cluster was made anew.
    pub restoring: bool,
    /// Its deployment-id.
    pub deployment_id: String,
    /// Its directory.
    pub directory: String,
    /// Its namespace.
    pub namespace: String,
    /// The hosts it serves.
    pub hosts: Vec<String>,
    /// How many pods it runs.
    pub pods: u32,
    /// Its volumes.
    pub volumes: Vec<Volume>,
}

/// Everything about one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterReport {
    /// Its name, which is its cluster-id.
    pub name: String,
    /// Whether a state of it is here.
    pub recorded: bool,
    /// Whether it is there.
    pub presence: Presence,
    /// Who it is by the state.
    pub identity: Option<ClusterIdentity>,
    /// The node image in the three places.
    pub node_image: Fact,
    /// Mounts, by the path in the node.
    pub mounts: BTreeMap<String, Fact>,
    /// Ports, by `hostPort/protocol`.
    pub ports: BTreeMap<String, Fact>,
    /// The deployments in its register.
    pub deployments: Vec<Resident>,
    /// The certificates of its ingress, and their backup; nothing where they were not looked for or could not be seen.
    pub certificates: Option<(Certificates, CertificateBackup)>,
    /// The operation that was begun and never ended.
    pub interrupted: Option<String>,
}

/// The clusters of this state directory and of this host's container engine, by name; and why there may be more. Their
/// certificates are looked for where that is asked for.
///
/// # Errors
/// State that cannot be read.
pub fn reports(session: &Session, certificates: bool) -> Result<(Vec<ClusterReport>, Option<String>)> {
    let recorded =
        session.wire.recorded_clusters().map_err(|(path, error)| crate::error::file(&path, "read")(error))?;
    let mut names: BTreeSet<String> = recorded.into_iter().collect();
    let targets: BTreeSet<Target> = names.iter().cloned().map(Target::Kind).collect();
    let host = match session.wire.simulated_host()? {
        Some(host) => Host::Simulated(Box::new(host)),
        None => session.wire.live_for_a_look(&targets, &BTreeMap::new()),
    };
    let runtime = wire::runtime()?;
    let unseen = match runtime.block_on(host.clusters()) {
        Ok(running) => {
            names.extend(running);
            None
        }
        Err(error) => Some(error.to_string()),
    };
    let store = session.wire.store(&BTreeMap::new());
    let states: Vec<(String, State)> =
        names.into_iter().map(|name| load(&store, &name).map(|state| (name, state))).collect::<Result<_>>()?;
    let request: ObserveRequest =
        states.iter().map(|(name, state)| (Target::Kind(name.clone()), looked_at(state, certificates))).collect();
    let world = runtime.block_on(host.provider().observe(&request));
    let mut reports = Vec::with_capacity(states.len());
    for (name, state) in states {
        let observed = world.get(&Target::Kind(name.clone()));
        // What was archived or never begun, and is not there either, is no cluster.
        if state.is_new() && !observed.is_some_and(|seen| matches!(seen.cluster, Observed::Present(_))) {
            continue;
        }
        reports.push(report(&name, &state, observed));
    }
    Ok((reports, unseen))
}

fn looked_at(state: &State, certificates: bool) -> TargetRequest {
    let mut request =
        TargetRequest { types: [ResourceType::KindMount, ResourceType::KindPort].into(), ..TargetRequest::default() };
    if certificates {
        request.types.insert(ResourceType::Secret);
        let umbrella = state.tenants.values().find_map(|tenant| tenant.wishes.mount_root.as_deref());
        request.certificate_backup = umbrella.map(backup_path);
    }
    request
}

fn load(store: &LocalStore, name: &str) -> Result<State> {
    let mut state = store.load(&Scope::cluster(name))?;
    let digests = state
        .resources
        .iter()
        .filter(|(address, _)| address.resource_type == ResourceType::KindCluster)
        .map(|(_, recorded)| recorded.desired.digest)
        .collect();
    store.load_bodies(&mut state, &digests)?;
    Ok(state)
}

/// The report of a cluster, from its state and what was seen of it.
#[must_use]
pub fn report(name: &str, state: &State, observed: Option<&ObservedTarget>) -> ClusterReport {
    let address = Address::kind_cluster(name);
    let recorded = state.resources.get(&address).and_then(|recorded| recorded.desired.value.as_deref());
    let composed = compose_cluster(&ClusterInput {
        name,
        registered: &state.tenants,
        planned: BTreeMap::new(),
        // What is only recorded is nobody's wish.
        recorded: None,
    });
    let declared = composed.resources.iter().find(|resource| resource.address == address);
    let declared = declared.map(|resource| resource.attributes.value().into_owned());
    let live = observed.and_then(|observed| match &observed.cluster {
        Observed::Present(live) => Some(&live.attributes),
        Observed::Absent | Observed::Unknown(_) => None,
    });
    let forms = [recorded, declared.as_ref(), live];
    let mounts = facts(forms, mounts_of);
    let deployments = state.tenants.iter().map(|(name, tenant)| resident(name, tenant, &mounts)).collect();
    ClusterReport {
        name: name.to_owned(),
        recorded: !state.is_new(),
        presence: presence(state, observed),
        identity: state.identity.clone(),
        node_image: fact(forms.map(|form| form.and_then(|form| form["image"].as_str().map(str::to_owned)))),
        ports: facts(forms, ports_of),
        mounts,
        deployments,
        certificates: observed.and_then(certificates),
        interrupted: state.interrupted.clone(),
    }
}

/// The certificates of a cluster that is there, or what is left of them.
fn certificates(observed: &ObservedTarget) -> Option<(Certificates, CertificateBackup)> {
    let backup = observed.node.certificate_backup.clone()?;
    let objects = observed.objects.as_ref().ok().filter(|_| !observed.unlisted.contains_key(&ResourceType::Secret))?;
    Some((Certificates::of(objects, &backup), backup))
}

fn presence(state: &State, observed: Option<&ObservedTarget>) -> Presence {
    let Some(observed) = observed else { return Presence::Unknown("nobody looked".to_owned()) };
    match (&observed.cluster, &state.identity, &observed.identity) {
        (Observed::Unknown(reason), ..) => Presence::Unknown(unknown_text(reason)),
        (Observed::Absent, ..) => Presence::Absent,
        (Observed::Present(_), Some(recorded), Some(seen)) if !recorded.is(seen) => Presence::Another,
        (Observed::Present(_), ..) => Presence::Running,
    }
}

fn fact([recorded, declared, live]: [Option<String>; 3]) -> Fact {
    Fact { recorded, declared, live }
}

fn facts(forms: [Option<&Value>; 3], read: impl Fn(&Value) -> BTreeMap<String, String>) -> BTreeMap<String, Fact> {
    let [recorded, declared, live] = forms.map(|form| form.map(&read).unwrap_or_default());
    let names: BTreeSet<&String> = recorded.keys().chain(declared.keys()).chain(live.keys()).collect();
    names
        .into_iter()
        .map(|name| (name.clone(), fact([&recorded, &declared, &live].map(|all| all.get(name).cloned()))))
        .collect()
}

fn mounts_of(form: &Value) -> BTreeMap<String, String> {
    let mounts = form["extraMounts"].as_array().into_iter().flatten();
    mounts
        .filter_map(|mount| Some((mount["containerPath"].as_str()?.to_owned(), mount["hostPath"].as_str()?.to_owned())))
        .collect()
}

fn ports_of(form: &Value) -> BTreeMap<String, String> {
    let ports = form["extraPortMappings"].as_array().into_iter().flatten();
    ports
        .filter_map(|port| {
            let protocol = port["protocol"].as_str().unwrap_or("tcp").to_ascii_lowercase();
            Some((format!("{}/{protocol}", port["hostPort"].as_u64()?), port["containerPort"].as_u64()?.to_string()))
        })
        .collect()
}

fn resident(name: &str, tenant: &Tenant, mounts: &BTreeMap<String, Fact>) -> Resident {
    Resident {
        name: name.to_owned(),
        stopped: tenant.stopped,
        restoring: tenant.restoring,
        deployment_id: tenant.deployment_id.clone(),
        directory: tenant.directory.clone(),
        namespace: tenant.namespace.clone(),
        hosts: tenant.hosts.clone(),
        pods: tenant.pods.values().sum(),
        volumes: tenant.volumes.iter().map(|(name, storage)| volume(name, storage, mounts)).collect(),
    }
}

/// A volume on the host is one as long as its directory is mounted into the node.
fn volume(name: &str, storage: &VolumeStorage, mounts: &BTreeMap<String, Fact>) -> Volume {
    let (host_path, outlives_cluster) = match storage {
        VolumeStorage::Host(path) => (Some(path.clone()), true),
        VolumeStorage::Provisioned => (None, true),
        VolumeStorage::Overlay => (None, false),
    };
    let is_seen = mounts.values().any(|mount| mount.live.is_some());
    let is_mounted =
        |path: &String| mounts.values().any(|mount| mount.live.as_ref().is_some_and(|host| is_under(path, host)));
    let is_missing = is_seen && host_path.as_ref().is_some_and(|path| !is_mounted(path));
    Volume {
        name: name.to_owned(),
        host_path,
        outlives_cluster: outlives_cluster && !is_missing,
        remark: is_missing.then(|| "the node has no mount for it: what is written lies in the node".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use laconic_engine::resource::Live;
    use serde_json::json;

    use super::*;

    fn seen(mounts: &Value) -> ObservedTarget {
        let attributes = json!({"image": "kindest/node:v1", "extraMounts": mounts, "extraPortMappings": [{"hostPort": 80, "containerPort": 80}]});
        let live = Live { uid: "n".into(), attributes, owners: Vec::new(), terminating: false };
        let mut seen = ObservedTarget::unknown(laconic_engine::resource::UnknownReason::Offline);
        seen.cluster = Observed::Present(live);
        seen.identity = Some(ClusterIdentity { daemon: "d".into(), node: "n".into(), kube_system: "k".into() });
        seen
    }

    fn state() -> State {
        let mut state = State::empty(Scope::cluster("main"));
        let mut tenant = Tenant { deployment_id: "laconic-shop".into(), ..Tenant::default() };
        tenant.wishes.mount_root = Some("/srv/kind".into());
        tenant.volumes.insert("data".into(), VolumeStorage::Host("/srv/kind/shop".into()));
        tenant.volumes.insert("scratch".into(), VolumeStorage::Overlay);
        state.tenants.insert("shop".into(), tenant);
        state.serial = 1;
        state
    }

    #[test]
    fn recorded_declared_and_live_are_told_apart() {
        let found = report("main", &state(), Some(&seen(&json!([{"containerPath": "/x", "hostPath": "/y"}]))));
        let declared = Fact { declared: Some("/srv/kind".into()), ..Fact::default() };
        assert_eq!(found.mounts["/mnt"], declared);
        assert_eq!(found.mounts["/x"], Fact { live: Some("/y".into()), ..Fact::default() });
        assert_eq!(found.ports["80/tcp"].live, Some("80".into()));
        let volumes = &found.deployments[0].volumes;
        assert!(volumes[0].remark.is_some() && !volumes[0].outlives_cluster, "{volumes:?}");
        assert!(!volumes[1].outlives_cluster);
        let mounted =
            report("main", &state(), Some(&seen(&json!([{"containerPath": "/mnt", "hostPath": "/srv/kind"}]))));
        assert!(mounted.deployments[0].volumes[0].outlives_cluster);
    }

    #[test]
    fn another_cluster_of_the_name_is_not_the_recorded_one() {
        let mut state = state();
        state.identity = Some(ClusterIdentity { daemon: "d".into(), node: "other".into(), kube_system: "o".into() });
        assert_eq!(report("main", &state, Some(&seen(&json!([])))).presence, Presence::Another);
        assert_eq!(report("main", &state, None).presence, Presence::Unknown("nobody looked".to_owned()));
    }
}
